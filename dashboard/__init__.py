"""What people see: the Panel server and its pages, exports, and the command line."""

"""The verbs of the command line, one module each; `dashboard.cli` loads a module only when its verb is used."""

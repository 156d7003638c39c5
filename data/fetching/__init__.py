"""The parts of `data.fetch`: who has which files (`providers`), how they come over the line (`download`, `cloud`), what
is checked on the way (`partial`), and what is unpacked (`unpacking`).
"""

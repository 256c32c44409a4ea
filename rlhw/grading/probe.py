def prove(sandbox, limits):
    pass

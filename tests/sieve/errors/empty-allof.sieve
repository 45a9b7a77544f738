if allof () {}

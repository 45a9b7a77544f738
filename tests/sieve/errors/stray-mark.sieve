keep; ]

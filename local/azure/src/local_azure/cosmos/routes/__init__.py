"""One module a kind of resource; `table` finds the handler of a request."""

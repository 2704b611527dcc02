"""One module a provider. What a source asks for and how it reads the answer is pure; the network is outside."""

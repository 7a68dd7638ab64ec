"""Forms of published lists: text, lines, columns, JSON, and the languages of filters and name servers."""

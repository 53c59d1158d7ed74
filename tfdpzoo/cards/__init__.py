"""Model cards: what is known of an exported model, for people, in Markdown and in HTML.

`context` reads and verifies a model, `markdown` and `html` render it. Everything that a model
brings along (names, classes, recipes) is escaped wherever it is written.
"""

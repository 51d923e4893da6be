"""What clients write, kept: one narrow interface, and SQLite behind it.

What lives here: the interface (`interface`), compaction over any store (`compacting`), and the SQLite store: its face
to the event loop (`sqlite`), the writing thread (`writing`), the readers (`reading`), the statements (`rows` reads,
`transactions` writes, `schema`), the newest changes that watchers share (`tail`), the file itself (`opening`,
`ownership`, `failures`), and backups (`backup`, `standing`). What may not: anything that knows what the values mean.
"""

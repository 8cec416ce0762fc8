"""The project in FiftyOne: the only room that imports it.

FiftyOne reads where its database lies when it is imported, so `xqdata.app.database.connect` comes before every other
module of this room.
"""

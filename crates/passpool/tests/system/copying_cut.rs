//! Copies that are cut off: wherever that is, the shop is in one database, or in none until the copy is finished.

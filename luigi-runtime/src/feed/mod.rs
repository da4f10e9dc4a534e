//! The feed: how a published version lies on the disk and is read back. See docs/FEED.md.

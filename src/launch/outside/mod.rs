//! What can be seen of a lane from outside: `/proc` and cgroups.
//!
//! Nothing here asks the lane. Every reader returns `None` or an empty list where the kernel does not permit the
//! look, so that a host that shows less gives fewer signals and no error.

pub(super) mod cgroup;
pub(super) mod children;
pub(super) mod digests;
pub(super) mod procfs;
pub(super) mod signals;
pub(super) mod tree;

pub(super) use digests::DigestCache;
pub(super) use tree::ProcessTree;

//! What some tests need beyond the packages that `make test` installs, and whether it is to be had here.
//!
//! A test that lacks something passes without having tried anything, and test runners hide what passing tests print. So `make test` starts
//! `luigi-test-needs` first, which says what will not be tried; both ask [`Need::is_met`].

use crate::compiled::can_trace;
use crate::installation::Release;
use std::process::Command;

/// Something that cannot be had everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// HAProxy 3.0, fetched from Debian's next suite.
    Haproxy3,
    /// A curl that speaks HTTP/2.
    CurlHttp2,
    /// The rights of root.
    Root,
    /// A mount namespace of one's own, to make file systems read-only in.
    Mounts,
    /// To trace another process (`ptrace`) and to change what its calls return, on x86-64.
    Tracing,
}

impl Need {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::Haproxy3, Self::CurlHttp2, Self::Root, Self::Mounts, Self::Tracing];

    /// Whether it is met here. The first call may fetch something.
    #[must_use]
    pub fn is_met(self) -> bool {
        match self {
            Self::Haproxy3 => Release::Debian13.command().is_some(),
            Self::CurlHttp2 => Command::new("curl")
                .arg("--version")
                .output()
                .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("HTTP2")),
            Self::Root => rustix::process::geteuid().is_root(),
            Self::Mounts => Command::new("unshare")
                .args(["--mount", "sh", "-c", "mount --make-rprivate / && mount -o remount,bind,ro /"])
                .output()
                .is_ok_and(|output| output.status.success()),
            Self::Tracing => can_trace(),
        }
    }

    /// What nobody tries without it.
    #[must_use]
    pub const fn without(self) -> &'static str {
        match self {
            Self::Haproxy3 => "nothing is tried with HAProxy 3.0 and Lua 5.4: it cannot be fetched here",
            Self::CurlHttp2 => "nothing is tried over HTTP/2: there is no curl that speaks it",
            Self::Root => "chroot and another user are not tried: that needs root",
            Self::Mounts => "a read-only file system is not tried: that needs root and a mount namespace",
            Self::Tracing => {
                "no change of the daemon or of HAProxy to a file is made to fail: tracing (ptrace) is not permitted here, or this is no x86-64"
            }
        }
    }
}

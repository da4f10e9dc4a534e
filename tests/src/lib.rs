//! What the end-to-end tests stand on: a real HAProxy with the real module, an upstream that shows what it saw, and a client that sends any bytes.
//!
//! Nothing here stands in for a part of Luigi or for HAProxy. Nothing sleeps for luck: whatever takes time is waited for by its
//! effect, see [`wait`].

pub mod certificates;
pub mod client;
pub mod compiled;
pub mod daemon;
pub mod feed;
pub mod haproxy;
pub mod installation;
pub mod ledger;
pub mod load;
pub mod needs;
pub mod people;
pub mod readme;
pub mod recorder;
pub mod site;
pub mod spooled;
pub mod tokens;
pub mod upstream;
pub mod wait;

/// Makes a test for each HAProxy of a function that takes the [`Release`](installation::Release).
#[macro_export]
macro_rules! on_each_haproxy {
    ($($function:ident),+ $(,)?) => {
        $(mod $function {
            #[test]
            fn on_debian_12() {
                super::$function($crate::installation::Release::Debian12);
            }

            #[test]
            fn on_debian_13() {
                super::$function($crate::installation::Release::Debian13);
            }
        })+
    };
}

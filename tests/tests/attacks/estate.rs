//! What is attacked: a policy that lets anybody have anything but what is denied, HAProxy with Luigi in front of four servers, and beside it a HAProxy
//! that guards them with `path_beg`, as people do without Luigi.

use crate::application::{Application, Reading};
use crate::exchange::Wire;
use crate::files::{FileServer, write_tree};
use luigi_runtime::Mode;
use luigi_runtime::facts::FactList;
use luigi_runtime::haproxy_config;
use luigi_tests::haproxy::{Haproxy, Integration};
use luigi_tests::installation::Release;
use luigi_tests::people::site;
use luigi_tests::site::Site;
use luigi_workflow::fact_record;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What nobody may see.
pub(crate) const MARK: &str = "only-staff-may-read-this";
/// The value of every identity header that an attack brings along.
pub(crate) const FORGED: &str = "forged-root";

pub(crate) const HOST: &str = "www.example.com";
/// All of this host is for staff.
pub(crate) const ADMIN_HOST: &str = "admin.example.com";
/// Its paths have no case.
pub(crate) const LEGACY_HOST: &str = "legacy.example.com";
/// It accepts every class that can be accepted.
pub(crate) const LAX_HOST: &str = "lax.example.com";
/// No rule names it, and no server either.
pub(crate) const MADE_UP_HOST: &str = "made-up.example";

/// Deny rules beside a rule that allows the rest: whatever is taken for something else passes. Policies that allow what is meant are stricter. What is denied at the
/// frontends of the site is allowed at those of the office, and nothing else is there but what is allowed everywhere.
pub(crate) const POLICY: &str = r#"
schema = 1

[issuers.corp]
url = "https://id.example.com"
audiences = ["app"]

[groups]
staff = "staff"

[hosts."**.example.com"]
method-override = "refuse"

[hosts."legacy.example.com"]
paths = "ignore-case"

[hosts."lax.example.com"]
accept-ambiguous = ["encoded-slash", "encoded-backslash", "backslash", "double-encoding", "matrix-parameter"]

[scopes.site]
hosts = ["www.example.com", "legacy.example.com", "lax.example.com", "admin.example.com"]
frontends = ["site-apache", "site-lenient", "site-nginx", "site-strict"]
paths = ["/**"]
methods = "any"

[scopes.anywhere]
hosts = "any"
paths = ["/public/**"]
methods = "any"

[scopes.office]
hosts = ["admin.example.com"]
frontends = ["office-apache", "office-lenient", "office-nginx", "office-strict"]
paths = ["/**"]
methods = "any"

[scopes.admin]
hosts = ["www.example.com", "legacy.example.com", "lax.example.com"]
paths = ["/admin/**"]
methods = "any"

[scopes.admin-host]
hosts = ["admin.example.com"]
frontends = ["site-apache", "site-lenient", "site-nginx", "site-strict"]
paths = ["/**"]
methods = "any"

[scopes.orders]
hosts = ["www.example.com", "legacy.example.com", "lax.example.com"]
paths = ["/orders/**"]
methods = ["DELETE"]

[[rules]]
id = "anybody"
effect = "allow"
scopes = ["site", "anywhere", "office"]
subject = "anyone"

[[rules]]
id = "staff-alone"
effect = "deny"
scopes = ["admin", "admin-host", "orders"]
unless = { subject = { groups = ["staff"] } }
"#;

/// What people write without Luigi.
const ACL_RULES: &str = "    http-request deny if { path_beg /admin }\n    http-request deny if { hdr(host) -i admin.example.com }\n    \
     http-request deny if { method DELETE } { path_beg /orders }\n";

/// A server behind HAProxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Nginx,
    Apache,
    Strict,
    Lenient,
}

impl Backend {
    pub(crate) const ALL: [Self; 4] = [Self::Nginx, Self::Apache, Self::Strict, Self::Lenient];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
            Self::Strict => Reading::Strict.name(),
            Self::Lenient => Reading::Lenient.name(),
        }
    }
}

/// What stands before a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    Luigi,
    PathBeg,
}

/// Which of the frontends before a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Entrance {
    Site,
    Office,
}

impl Entrance {
    pub(crate) const ALL: [Self; 2] = [Self::Site, Self::Office];

    fn name(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Office => "office",
        }
    }
}

/// How Luigi's lines get into HAProxy's configuration, and what they are printed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// Pasted into each frontend, with every header for backends.
    Pasted,
    /// A `defaults` section of their own, with a spool and without headers.
    FromDefaults,
}

/// All of it, running.
pub(crate) struct Estate {
    site: Site,
    pub(crate) haproxy: Haproxy,
    applications: [Application; 3],
    files: [FileServer; 2],
}

impl Estate {
    /// Starts everything; `None` if there is no such HAProxy here.
    pub(crate) fn start(release: Release, lines: Lines) -> Option<Self> {
        let site = site();
        let facts = facts_of(&site);
        site.apply(POLICY, Some(Mode::Enforce));
        write_tree(site.folder());
        let files = [FileServer::nginx(site.folder()), FileServer::apache(site.folder())];
        let applications = [Reading::Strict, Reading::Lenient, Reading::Internal].map(Application::start);
        let internal = &applications[2];
        let mut setup = site.setup(release);
        setup.options.facts = facts;
        let lines = match lines {
            Lines::Pasted => haproxy_config::frontend_lines(&setup.options),
            Lines::FromDefaults => {
                let spool = site.folder().join("spool");
                std::fs::create_dir(&spool).expect("a folder");
                setup.integration = Integration::Defaults;
                setup.options.headers = Vec::new();
                setup.options.spool = Some(spool.display().to_string());
                setup.options.facts = setup.options.facts.with_user_agent();
                String::new()
            }
        };
        for (backend, address) in Backend::ALL.into_iter().zip([
            files[0].address,
            files[1].address,
            applications[0].address,
            applications[1].address,
        ]) {
            setup.sections += &sections(site.folder(), backend, address, &lines);
        }
        setup.sections +=
            &format!("backend internal\n    timeout server 5s\n    server server {}\n\n", internal.address);
        let haproxy = site.start(setup)?;
        Some(Self { site, haproxy, applications, files })
    }

    /// Switches the mode, and waits until HAProxy has read it.
    pub(crate) fn set_mode(&self, mode: Mode) {
        self.site.apply(POLICY, Some(mode));
        let word = if mode == Mode::Enforce { "enforce" } else { "observe" };
        self.haproxy.status_with(&format!("mode                   {word}"));
    }

    /// A frontend before a server.
    pub(crate) fn socket(&self, guard: Guard, entrance: Entrance, backend: Backend, wire: Wire) -> PathBuf {
        socket(self.site.folder(), guard, entrance, backend, wire)
    }

    /// What the applications behind a frontend have given away so far, or how often the file that staff alone may delete has gone.
    pub(crate) fn breaches(&self, backend: Backend) -> usize {
        let [strict, lenient, _] = &self.applications;
        let [nginx, apache] = &self.files;
        match backend {
            Backend::Nginx => nginx.deletions(),
            Backend::Apache => apache.deletions(),
            Backend::Strict => strict.breaches(),
            Backend::Lenient => lenient.breaches(),
        }
    }
}

/// What the policy asks for, as the lines carry it.
fn facts_of(site: &Site) -> FactList {
    let mut sources = luigi_core::policy::SourceSet::new();
    sources.add("policy.toml", POLICY);
    let facts = FactList::of_policy(&luigi_core::policy::parse(&sources).policy.expect("a policy without errors"));
    fact_record::write(&site.feed(), &facts).expect("a feed that can be written");
    facts
}

fn socket(folder: &Path, guard: Guard, entrance: Entrance, backend: Backend, wire: Wire) -> PathBuf {
    let guard = match guard {
        Guard::Luigi => "luigi",
        Guard::PathBeg => "acl",
    };
    let wire = match wire {
        Wire::Http1 => "h1",
        Wire::Http2 => "h2",
    };
    folder.join(format!("{guard}-{}-{}-{wire}.sock", entrance.name(), backend.name()))
}

fn sections(folder: &Path, backend: Backend, address: SocketAddr, luigi: &str) -> String {
    let name = backend.name();
    // Files are split by their own server, applications by HAProxy: by a word in the host, which is loose.
    let routes = match backend {
        Backend::Nginx | Backend::Apache => "",
        Backend::Strict | Backend::Lenient => "    use_backend internal if { hdr_dom(host) -i admin.example.com }\n",
    };
    let frontend = |guard: Guard, entrance: Entrance, rules: &str| {
        let bind = |wire, protocol| {
            format!("    bind unix@{} mode 666{protocol}\n", socket(folder, guard, entrance, backend, wire).display())
        };
        let prefix = if guard == Guard::Luigi { "" } else { "acl-" };
        let from = if guard == Guard::Luigi && rules.is_empty() { " from luigi" } else { "" };
        format!(
            "frontend {prefix}{}-{name}{from}\n    timeout client 5s\n{}{}{rules}{routes}    default_backend {name}\n\n",
            entrance.name(),
            bind(Wire::Http1, ""),
            bind(Wire::Http2, " proto h2"),
        )
    };
    let of_entrances = Entrance::ALL
        .map(|entrance| frontend(Guard::Luigi, entrance, luigi) + &frontend(Guard::PathBeg, entrance, ACL_RULES));
    format!(
        "{}backend {name}\n    timeout server 5s\n    http-reuse always\n    server server {address}\n\n",
        of_entrances.concat(),
    )
}

//! The HAProxy configuration that puts Luigi in front of a service, as text.
//!
//! [`global_lines`] load the module, [`frontend_lines`] decide each request, [`backend_lines`] end idle tunnels, [`defaults_file`] is a whole file for configurations that
//! start fresh. The facts come from [`crate::facts`], the fields of the answer from [`crate::answer_line`]; names of
//! Lua functions, variables and files are a contract with the glue, written down in docs/HAPROXY.md. Nothing here reads a policy or a file.

use crate::answer_line::{Field, VERSION};
use crate::facts::{CONTROL_BYTE, FactList};
use crate::response_line;
use std::fmt::Write;

/// Where `make install PREFIX=/usr` puts the module, the glue and the map.
pub const DEFAULT_HOME: &str = "/usr/lib/luigi";

/// A header for the backend. Luigi's own headers are stripped from what clients send, whichever of them are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdentityHeader {
    /// `x-luigi-evaluation`: the id to find the decision by; on every request that passes.
    Evaluation,
    /// `x-luigi-issuer`: the issuer of the verified identity. A person is issuer and subject together.
    Issuer,
    /// `x-luigi-subject`: the subject of the verified identity.
    Subject,
    /// `x-luigi-email`: its verified e-mail address; empty if there is none.
    Email,
    /// `x-luigi-groups`: its groups, separated by commas.
    Groups,
    /// `x-luigi-groups-completeness`: `complete` or `cut-off`.
    GroupsCompleteness,
}

impl IdentityHeader {
    /// Every header, in the order in which they are added.
    pub const ALL: [Self; 6] =
        [Self::Evaluation, Self::Issuer, Self::Subject, Self::Email, Self::Groups, Self::GroupsCompleteness];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Evaluation => "x-luigi-evaluation",
            Self::Issuer => "x-luigi-issuer",
            Self::Subject => "x-luigi-subject",
            Self::Email => "x-luigi-email",
            Self::Groups => "x-luigi-groups",
            Self::GroupsCompleteness => "x-luigi-groups-completeness",
        }
    }

    const fn field(self) -> Field {
        match self {
            Self::Evaluation => Field::Evaluation,
            Self::Issuer => Field::Issuer,
            Self::Subject => Field::Subject,
            Self::Email => Field::Email,
            Self::Groups => Field::Groups,
            Self::GroupsCompleteness => Field::GroupsCompleteness,
        }
    }
}

/// Where the data plane finds its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// A feed, and the public key that its manifests are signed with.
    Feed {
        /// The directory.
        directory: String,
        /// The file with the key.
        public_key: String,
    },
    /// A policy file or directory, compiled once as HAProxy starts.
    Policy {
        /// The path.
        path: String,
        /// The environment that the policy is compiled for; `None` for a policy that has none.
        environment: Option<String>,
        /// Names of issuers with the JWKS file of each.
        jwks: Vec<(String, String)>,
    },
}

/// What the configuration is to look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The folder with `luigi.lua`, `modes.map` and the modules; [`DEFAULT_HOME`] for an installed Luigi.
    pub home: String,
    /// Where the policy is.
    pub source: PolicySource,
    /// The headers for the backend.
    pub headers: Vec<IdentityHeader>,
    /// Which path the backend gets.
    pub forward: ForwardedPath,
    /// What the lines carry beyond what every line does: what the policy needs.
    pub facts: FactList,
    /// The directory to which decisions are recorded; `None` for none. Records have the header `User-Agent` if it is among the facts.
    pub spool: Option<String>,
}

/// Which path the backend gets, where the received one is not canonical and the decision has effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedPath {
    /// The one that was decided, so that neither HAProxy's own rules about paths nor the backend can read another one, not in a header either.
    #[default]
    Canonical,
    /// The received one: for backends that need every byte of it, for signed URLs. What they make of `/a/../b` is then their affair.
    Received,
}

impl Default for Options {
    /// An installed Luigi with a feed; every header but the completeness of groups.
    fn default() -> Self {
        Self {
            home: DEFAULT_HOME.to_owned(),
            source: PolicySource::Feed {
                directory: "/var/lib/luigi/feed".to_owned(),
                public_key: "/var/lib/luigi/feed.pub".to_owned(),
            },
            headers: IdentityHeader::ALL[..5].to_vec(),
            forward: ForwardedPath::default(),
            facts: FactList::default(),
            spool: None,
        }
    }
}

/// Everything to paste: the lines for `global` and those for a frontend, with a word on where each goes.
#[must_use]
pub fn lines(options: &Options) -> String {
    format!(
        "# Into the global section:\n{}\n# Into each frontend (or listen section) that Luigi guards, before all other http-request rules:\n{}\n\
         # Into each backend (or listen section) whose connections may be upgraded, to WebSocket say, if a scope says how long they may last:\n{}\n\
         # Instead of `option httplog`, if Luigi is to be in the log:\n    log-format \"{}\"\n",
        global_lines(options),
        frontend_lines(options),
        backend_lines(),
        LOG_FORMAT,
    )
}

/// The lines for the `global` section. Values may be overridden from the environment of HAProxy.
#[must_use]
pub fn global_lines(options: &Options) -> String {
    let mut out = String::new();
    setting(&mut out, "LUIGI_HOME", &options.home);
    match &options.source {
        PolicySource::Feed { directory, public_key } => {
            setting(&mut out, "LUIGI_FEED", directory);
            setting(&mut out, "LUIGI_PUBLIC_KEY", public_key);
        }
        PolicySource::Policy { path, environment, jwks } => {
            setting(&mut out, "LUIGI_POLICY", path);
            if let Some(environment) = environment {
                setting(&mut out, "LUIGI_ENVIRONMENT", environment);
            }
            let jwks: Vec<_> = jwks.iter().map(|(issuer, file)| format!("{issuer}={file}")).collect();
            if !jwks.is_empty() {
                setting(&mut out, "LUIGI_JWKS", &jwks.join(" "));
            }
            setting(&mut out, "LUIGI_MODE", "observe");
        }
    }
    if let Some(spool) = &options.spool {
        setting(&mut out, "LUIGI_SPOOL", spool);
    }
    if !options.facts.is_empty() {
        out.push_str(&facts_setting(&options.facts));
    }
    out.push_str(concat!(
        "    .if version_atleast(3.1)\n",
        "    tune.lua.bool-sample-conversion normal\n",
        "    .endif\n",
        "    lua-load-per-thread \"${LUIGI_HOME}/luigi.lua\"\n",
    ));
    out
}

/// That the decision on a request has effect.
const ENFORCED: &str = "{ var(txn.luigi.begin),field(4,|) -m str enforce }";

/// Headers from which some servers, or what people write around them, take path, host, method or the mount point instead of from the request line; whatever
/// stands between the words. Docs/HAPROXY.md names them and who listens to them.
// PERF: groups that capture nothing. With ones that capture it takes 9,750 instructions for a request with twelve headers, so 6,950; the four names that stood
// here before took 5,600 (callgrind on HAProxy 2.6, 1,000 requests, less those of a frontend without this rule).
const OTHER_TARGETS: &str = concat!(
    "^(?:x.(?:(?:(?:[a-z]+.)?original|rewrite|forwarded|override|proxy|real|replaced|request|traversal|matched|invoke)",
    ".(?:(?:(?:dst|request).)?(?:host|ur[il])|server|method|query|base|prefix|script.name|path(?:.?base|.info|.prefix)?)",
    "|(?:http.)?(?:host|(?:host|path|ur[il]).override|destinationurl)|script.name|path.info|middleware.(?:rewrite|subrequest))",
    "|script.name|path.info)$"
);

/// The headers that ask for another method, in spellings that are no fact of the request: something other than a hyphen stands between two words.
const DISGUISED_METHOD_OVERRIDES: &str = "^x(?:(?:[^a-z0-9-]http[^a-z0-9]|(?:-http)?[^a-z0-9-])method(?:[^a-z0-9]override)?|(?:-http)?-method[^a-z0-9-]override)$";

/// A `Connection` that says more than what becomes of the connection itself, whatever stands between its words.
const OTHER_CONNECTION: &str = r"'^(?!(?:close|keep-alive|upgrade|http2-settings|te|[ ,\t])*$)'";

/// Headers with a byte that RFC 9110 forbids in a field: every control byte but the tab, and the CR LF between fields. In single quotes, or HAProxy
/// would take the escapes for its own; it needs PCRE, without which the expression means other bytes and every request is refused.
const CONTROL_BYTES: &str = r"'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]'";

/// As many fields of the answer have a few values each, the mode the last of them.
// PERF: HAProxy looks what it compares up among 10,000 comparisons that it made before, and keeps what is new. Of whole answers, each of which names another evaluation, every comparison
// was new: 4,300 instructions a request, without what it takes to find 10,000 of them in memory (callgrind on HAProxy 2.6, 1,000 requests, less those of a converter that
// always gives the same answer).
const BEGIN: u8 = Field::Mode.number();

// INVARIANT (path-last): the lines look at the last field to see whether there is a path to rewrite.
const _: () = assert!(Field::Path.number() as usize == Field::ALL.len());

/// The lines that decide a request; they belong before all other `http-request` rules, once.
///
/// After them a request has an answer that passes, or Luigi failed while it only observes. While it enforces, a failure is a denial:
/// the mode is looked up in a map that the glue keeps up to date, and anything but `observe` in it enforces.
#[must_use]
pub fn frontend_lines(options: &Options) -> String {
    let mut out = format!(
        "    # Nobody but Luigi says who a request is from; whatever stands between the words, they are one name to CGI and its kin.\n\
        \x20   http-request del-header ^x[^a-z0-9]luigi -m reg\n\
        \x20   # Nor may a client name headers that the next proxy has to remove: Luigi's, the host, lengths.\n\
        \x20   http-request del-header connection if {{ req.fhdr(connection) -i -m reg {OTHER_CONNECTION} }}\n\
        \x20   # After an upgrade to HTTP/2 every further request would go past here unseen; HAProxy 3.0 offers none to backends either.\n\
        \x20   http-request del-header upgrade if {{ req.fhdr(upgrade) -i -m sub h2c }}\n\
        {facts}\
        \x20   # A control byte in any header: the facts hold few of them, so this is looked for here.\n\
        \x20   http-request set-var-fmt(txn.luigi.in) \"%[var(txn.luigi.in)]\\n{CONTROL_BYTE}\" if {{ req.hdrs -m reg {CONTROL_BYTES} }}\n\
        \x20   http-request set-var(txn.luigi.out) var(txn.luigi.in),lua.luigi\n\
        \x20   # How the answer begins: HAProxy remembers what it compared, and answers differ from each other.\n\
        \x20   http-request set-var(txn.luigi.begin) var(txn.luigi.out),field(1,|,{BEGIN})\n\
        \x20   http-request lua.luigi_refuse if {{ var(txn.luigi.begin) -m beg {VERSION}|refuse| }}\n\
        \x20   http-request lua.luigi_failed unless {{ var(txn.luigi.begin) -m beg {VERSION}|pass| }}\n\
        \x20   # Whatever is no clear pass is denied, unless Luigi failed and only observes.\n\
        \x20   http-request deny deny_status 403 unless {{ var(txn.luigi.begin) -m beg {VERSION}|pass| }} or \
         {{ str(mode),map(\"${{LUIGI_HOME}}/modes.map\",enforce) -m str observe }} !{{ var(txn.luigi.begin) -m beg {VERSION}|refuse| }}\n",
        facts = facts_line(&options.facts),
    );
    match options.forward {
        // Before HAProxy's own rules look at the path. It stands last, and is empty if there is none to rewrite; what cannot be rewritten is no request.
        ForwardedPath::Canonical => {
            let _ = writeln!(
                out,
                "    # The backend, and HAProxy's own rules about paths, get the path that was decided.\n\
                \x20   http-request set-path %[var(txn.luigi.out),field({},|)] if {{ var(txn.luigi.begin) -m beg {VERSION}|pass| }} {{ var(txn.luigi.out),field(-1,|) -m len gt 0 }}",
                Field::Path.number(),
            );
            let _ = writeln!(
                out,
                "    # Nor do they get another path, host or method in a header, as some servers would take it.\n\
                \x20   http-request del-header {OTHER_TARGETS} -m reg if {ENFORCED}\n\
                \x20   http-request del-header forwarded if {ENFORCED} {{ req.fhdr(forwarded) -i -m sub host }}"
            );
        }
        ForwardedPath::Received => {}
    }
    if options.facts.has_method_overrides() {
        let _ = writeln!(
            out,
            "    # Headers that ask for another method were refused; these are the same to CGI and its kin.\n\
            \x20   http-request del-header {DISGUISED_METHOD_OVERRIDES} -m reg if {ENFORCED}"
        );
    }
    let mut headers = options.headers.clone();
    headers.sort_unstable();
    headers.dedup();
    out.push_str(&header_lines(&headers));
    if options.spool.is_some() {
        out.push_str(&response_lines());
    }
    out
}

/// The lines by which backends get headers.
fn header_lines(headers: &[IdentityHeader]) -> String {
    if headers.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "    # While observing, a request that leaves no room for the headers goes on without them.\n\
        \x20   http-request strict-mode off unless { var(txn.luigi.begin),field(4,|) -m str enforce }\n",
    );
    for header in headers {
        let condition = match header {
            IdentityHeader::Evaluation => "pass|",
            IdentityHeader::Issuer
            | IdentityHeader::Subject
            | IdentityHeader::Email
            | IdentityHeader::Groups
            | IdentityHeader::GroupsCompleteness => "pass|verified|",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "    http-request set-header {} %[var(txn.luigi.out),field({},|)] if {{ var(txn.luigi.begin) -m beg {VERSION}|{condition} }}",
            header.name(),
            header.field().number(),
        );
    }
    out.push_str("    http-request strict-mode on\n");
    out
}

/// The lines of a frontend that join how a request of privileged scopes ended to the record of its decision. They also see HAProxy's own replies.
///
/// Not those to requests that were refused: the glue sends these, and HAProxy cannot run a converter inside an action.
fn response_lines() -> String {
    let privileged = format!(
        "{{ var(txn.luigi.begin) -m beg {VERSION}|pass| }} {{ var(txn.luigi.out),field({},|) -m str yes }}",
        Field::Privileged.number()
    );
    format!(
        "    # How a privileged request that passed ended joins the record of its decision.\n\
        \x20   http-after-response set-var-fmt(txn.luigi.end) \"{}\" if {privileged}\n\
        \x20   http-after-response set-var(txn.luigi.end) var(txn.luigi.end),lua.luigi_response if {privileged}\n",
        response_line::EXPRESSION,
    )
}

/// The line of a backend by which a connection that was upgraded is closed when nothing flows through it for as long as the policy says.
///
/// HAProxy takes the rule nowhere but in sections with servers. Where the policy says nothing the timeouts of the configuration hold.
#[must_use]
pub fn backend_lines() -> String {
    let field = Field::Tunnel.number();
    format!(
        "    http-request set-timeout tunnel var(txn.luigi.out),field({field},|) if {{ var(txn.luigi.out),field({field},|) -m int gt 0 }}\n"
    )
}

/// The line of a frontend that collects the facts of a request.
#[must_use]
pub fn facts_line(facts: &FactList) -> String {
    format!("    http-request set-var-fmt(txn.luigi.in) \"{}\"\n", facts.expression())
}

/// The line for `global` that tells the module which facts the lines of the frontends carry. Unlike the other settings it does not give way to
/// the environment: it belongs to those lines.
#[must_use]
pub fn facts_setting(facts: &FactList) -> String {
    format!("    setenv LUIGI_FACTS \"{facts}\"\n")
}

/// A log format: that of `option httplog` with what Luigi did before the request line. HAProxy cuts log lines (at 1024 bytes unless the `log` line
/// says otherwise), so what a caller can make long comes late, and what an identity provider can make long last. `field(N,|)` takes any other
/// field out; see [`Field`] for the numbers. [`haproxy_log`](crate::haproxy_log) reads such lines.
pub const LOG_FORMAT: &str = concat!(
    "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs",
    " luigi=%[var(txn.luigi.out),field(2,|)]",
    " mode=%[var(txn.luigi.out),field(4,|)]",
    " decision=%[var(txn.luigi.out),field(5,|)]",
    " advice=%[var(txn.luigi.out),field(11,|)]",
    " reason=%[var(txn.luigi.out),field(6,|)]",
    " detail=%[var(txn.luigi.out),field(22,|)]",
    " rule=%[var(txn.luigi.out),field(7,|)]",
    " credential=%[var(txn.luigi.out),field(3,|)]",
    " candidate=%[var(txn.luigi.out),field(8,|)]",
    " candidate-rule=%[var(txn.luigi.out),field(10,|)]",
    " evaluation=%[var(txn.luigi.out),field(15,|)]",
    " revision=%[var(txn.luigi.out),field(16,|)]",
    " issuer=%[var(txn.luigi.out),field(17,|)]",
    " subject=%[var(txn.luigi.out),field(18,|)]",
    " source=%[var(txn.luigi.out),field(24,|)]",
    " time=[%trg]",
    // Whatever a Host header holds is escaped: it must not look like other fields.
    " host=%[var(txn.luigi.in),field(5,\\n),url_enc]",
    " %{+Q}r",
    " groups=%[var(txn.luigi.out),field(20,|)]",
    // Last, so that it says whether anything before it was cut off.
    " groups-are=%[var(txn.luigi.out),field(21,|)]",
);

/// A file for configurations that start fresh: `haproxy -f luigi.cfg -f haproxy.cfg`, with `frontend www from luigi` in the second.
#[must_use]
pub fn defaults_file(options: &Options) -> String {
    format!(
        "# Luigi for a fresh configuration:\n\
         #\n\
         #     haproxy -f luigi.cfg -f haproxy.cfg\n\
         #\n\
         # and in haproxy.cfg a `defaults` section of your own, then `frontend www from luigi` with `log global` in it.\n\
         # HAProxy does not let a `defaults` section with rules serve a `listen` section, a frontend and a backend both,\n\
         # or another `defaults` section; there, paste what `luigi haproxy-config` prints without `--defaults`.\n\
         # HAProxy 3.0 takes `nbthread` only before the first section that is not `global`: in a file before this one.\n\
         # If a scope says how long upgraded connections (WebSocket, say) may last, their backends need this line:\n\
         #\n\
         # {tunnel}\
         \n\
         global\n{global}\n\
         defaults luigi\n\
         \x20   mode http\n\
         \x20   log-format \"{LOG_FORMAT}\"\n\
         \x20   timeout http-request 10s\n\
         \x20   timeout client 30s\n\
         {frontend}",
        tunnel = backend_lines(),
        global = global_lines(options),
        frontend = frontend_lines(options),
    )
}

/// One `presetenv` line: it gives way to a value that HAProxy was started with.
fn setting(out: &mut String, name: &str, value: &str) {
    out.push_str("    presetenv ");
    out.push_str(name);
    out.push_str(" \"");
    for c in value.chars() {
        // What the parser of HAProxy's configuration looks for between double quotes.
        if matches!(c, '"' | '\\' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push_str("\"\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of a field in the log format, or `None` if it is not there.
    fn logged(name: &str) -> Option<u8> {
        let rest = LOG_FORMAT.split_once(&format!(" {name}=%[var(txn.luigi.out),field("))?.1;
        rest.split_once(',')?.0.parse().ok()
    }

    #[test]
    fn the_log_format_takes_the_fields_it_names() {
        for (name, field) in [
            ("luigi", Field::Outcome),
            ("mode", Field::Mode),
            ("decision", Field::Decision),
            ("advice", Field::Advice),
            ("reason", Field::Reason),
            ("detail", Field::Detail),
            ("rule", Field::Rule),
            ("credential", Field::Credential),
            ("candidate", Field::Candidate),
            ("candidate-rule", Field::CandidateRule),
            ("evaluation", Field::Evaluation),
            ("revision", Field::Revision),
            ("issuer", Field::Issuer),
            ("subject", Field::Subject),
            ("source", Field::Source),
            ("groups-are", Field::GroupsCompleteness),
            ("groups", Field::Groups),
        ] {
            assert_eq!(logged(name), Some(field.number()), "{name}");
        }
        // The host is not in the answer but in the facts.
        let expression = FactList::default().expression();
        let host = expression.split("\\n").nth(4);
        assert_eq!(host, Some("%[req.fhdr(host)]"));
        assert!(LOG_FORMAT.contains(" host=%[var(txn.luigi.in),field(5,\\n),url_enc]"), "{LOG_FORMAT}");
    }

    #[test]
    fn headers_are_added_in_order_once_and_only_from_a_pass() {
        let headers = vec![IdentityHeader::Subject, IdentityHeader::Evaluation, IdentityHeader::Subject];
        let text = frontend_lines(&Options { headers, ..Options::default() });
        let added: Vec<_> = text.lines().filter(|line| line.contains("set-header")).map(str::trim).collect();
        assert_eq!(
            added,
            [
                "http-request set-header x-luigi-evaluation %[var(txn.luigi.out),field(15,|)] if { var(txn.luigi.begin) -m beg luigi1|pass| }",
                "http-request set-header x-luigi-subject %[var(txn.luigi.out),field(18,|)] if { var(txn.luigi.begin) -m beg luigi1|pass|verified| }",
            ]
        );
    }

    #[test]
    fn other_targets_and_disguised_overrides_are_removed_where_that_was_not_left_to_the_backend() {
        let removed = |forward, facts: &str| {
            let facts = FactList::parse(facts).unwrap();
            let text = frontend_lines(&Options { forward, facts, ..Options::default() });
            (text.contains(OTHER_TARGETS), text.contains(DISGUISED_METHOD_OVERRIDES))
        };
        let overrides = "header:x-http-method header:x-http-method-override header:x-method-override";
        assert_eq!(removed(ForwardedPath::Canonical, ""), (true, false));
        assert_eq!(removed(ForwardedPath::Received, ""), (false, false));
        assert_eq!(removed(ForwardedPath::Canonical, overrides), (true, true));
        assert_eq!(removed(ForwardedPath::Received, overrides), (false, true));
    }

    #[test]
    fn values_are_quoted_for_haproxy() {
        let text = global_lines(&Options { home: "/a b/$x\"\\".to_owned(), ..Options::default() });
        assert!(text.contains(r#"presetenv LUIGI_HOME "/a b/\$x\"\\""#), "{text}");
    }

    #[test]
    fn a_policy_file_is_observed_until_somebody_says_otherwise() {
        let jwks = vec![("a".to_owned(), "/a.json".to_owned()), ("b".to_owned(), "/b.json".to_owned())];
        let environment = Some("staging".to_owned());
        let source = PolicySource::Policy { path: "/p.toml".to_owned(), environment, jwks };
        let text = global_lines(&Options { source, ..Options::default() });
        assert!(text.contains("presetenv LUIGI_ENVIRONMENT \"staging\"\n"), "{text}");
        assert!(text.contains("presetenv LUIGI_JWKS \"a=/a.json b=/b.json\"\n"), "{text}");
        assert!(text.contains("presetenv LUIGI_MODE \"observe\"\n"), "{text}");
        assert!(!text.contains("LUIGI_FEED"), "{text}");
    }
}

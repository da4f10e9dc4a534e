//! What can be wrong with HAProxy's configuration in front of a policy: each finding with its explanation, an example and the cure.
//!
//! Only the texts stand here, beside those of the other codes; the configuration is read and looked at by the control plane. In the examples the comment
//! `# Luigi's lines` stands for what `luigi haproxy-config` prints for a frontend. A test holds that each example, with [`HaproxyLint::EXAMPLE_POLICY`], triggers
//! its finding and that the cured one triggers none.

use super::Severity;
use super::lints::lints;

lints! {
    /// What can be found in HAProxy's configuration. Exhaustive: match it without `_`. Codes are never reused for something else.
    enum HaproxyLint;
    /// A line that HAProxy does not read.
    HaproxySyntax = "haproxy-syntax", Error:
        "HAProxy refuses this line: a quote that nothing closes, or a line before the first section. What stands there was not looked at, so that \
         other findings may be missing. `haproxy -c` says more.",
        wrong r#"frontend www
    bind :443
    # Luigi's lines
    use_backend shop if { path_beg "/shop }
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    use_backend shop if { path_beg "/shop" }
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// Something that decides where requests go and is not understood.
    HaproxyNotUnderstood = "haproxy-not-understood", Warning:
        "What happens here depends on something that is not worked out: a map, a list in a file, a fetch or an action that is not known, a \
         Lua program, a block between `.if` and `.endif` of which both branches were read. Nothing is guessed, so something may be wrong here and \
         not be reported. Look at it yourself, and accept the finding with what you have found.",
        wrong r#"frontend www
    bind :443
    # Luigi's lines
    use_backend %[req.hdr(host),map(/etc/haproxy/hosts.map)]
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    # luigi: accept haproxy-not-understood: the map names the backend of each host, no other
    use_backend %[req.hdr(host),map(/etc/haproxy/hosts.map)]
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// A frontend that leads to servers past Luigi.
    UnguardedFrontend = "unguarded-frontend", Warning:
        "Requests that come in here reach servers, and nothing decides them: the section has none of Luigi's lines, or is in tcp mode, where \
         HAProxy sees no requests. What the policy denies elsewhere can be had here. Put Luigi's lines in, or take the way to the servers out; if \
         it is meant to be so, because another service is behind it, accept the finding.",
        wrong r#"frontend www
    bind :443
    # Luigi's lines
    default_backend shop

frontend internal
    bind 10.0.0.1:8080
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    default_backend shop

frontend internal
    bind 10.0.0.1:8080
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// No frontend with Luigi's lines.
    NoLuigiLines = "no-luigi-lines", Warning:
        "In these files there is no frontend with Luigi's lines, so that nothing is decided, and nothing was looked at but whether servers can be \
         reached. A file may be missing: HAProxy reads several as one, and so does `--haproxy FILE --haproxy FILE`.",
        wrong r#"backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// A rule that answers before Luigi is asked.
    AnsweredBeforeDecision = "answered-before-decision", Warning:
        "A rule before Luigi's lines answers the request itself, or lets it through (`http-request allow`), so that it is neither decided nor in \
         any record. Put the rule behind Luigi's lines. What refuses (`deny`, `tarpit`, `reject`, `silent-drop`, `auth`) may stand before them, \
         and so may a redirect that only leads to https.",
        wrong r#"frontend www
    bind :443
    http-request allow if { path_beg /assets }
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    http-request allow if { path_beg /assets }
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// A rule that changes what is decided.
    ChangedBeforeDecision = "changed-before-decision", Warning:
        "A rule before Luigi's lines changes the target, the method or a header that is decided by. Luigi decides what the rule has made of the \
         request: scopes must be about that, the log does not say what was asked for, and what would have been refused as ambiguous may have been \
         made unambiguous. Put the rule behind Luigi's lines if scopes are about what clients send.",
        wrong r#"frontend www
    bind :443
    http-request replace-path /old(/.*) \1
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// A rule that changes what was decided.
    ChangedAfterDecision = "changed-after-decision", Warning:
        "A rule behind Luigi's lines, or of a backend, changes the path, the method or the Host of a request that was decided. The server answers \
         another request than the one that was allowed, and `..` or a capture can make it any other. Let the server take the path as it is, or \
         write scopes about what clients send and make sure that nothing else can come out; then accept the finding.",
        wrong r#"frontend www
    bind :443
    # Luigi's lines
    default_backend shop

backend shop
    http-request replace-path /shop(/.*) \1
    server s1 192.0.2.1:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// The source is whatever a client says.
    ForgeableSource = "forgeable-source", Warning:
        "`http-request set-src` without a condition makes whatever a header says the source of the request, so every client chooses the network \
         that it comes from. Ask for a trusted peer: `if { src -f proxies.lst }`. Or leave the line out and declare the proxies in the policy \
         (`[proxies]`).",
        wrong r#"frontend www
    bind :443
    http-request set-src req.hdr(x-forwarded-for)
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"frontend www
    bind :443
    http-request set-src req.hdr(x-forwarded-for) if { src 10.0.0.0/24 }
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// Luigi's lines are not as they are printed.
    LuigiLinesIncomplete = "luigi-lines-incomplete", Error:
        "Luigi's lines work together: they remove what clients could forge, collect the facts, ask, refuse, and deny whatever is no clear pass. \
         One of them is missing, differs from what is printed, or stands in another order, and with it something of that is gone. Print them again \
         with `luigi haproxy-config` and replace all of them.",
        wrong r#"frontend www
    bind :443
    # Luigi's lines but the one that denies
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// Luigi's lines are those of another policy.
    LuigiLinesOutdated = "luigi-lines-outdated", Warning:
        "The lines were printed for another policy: they do not carry everything that the rules of this one ask for, or `LUIGI_FACTS` says \
         something else than they carry. What is not carried is unknown; it opens nothing, and it denies where a deny rule asks for it. `luigi \
         apply` and the data plane refuse such a policy where they notice. Put in what is printed with the finding.",
        wrong r#"frontend www
    bind :443
    # Luigi's lines for an older policy
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// Somebody else writes Luigi's headers.
    IdentityHeaderChanged = "identity-header-changed", Warning:
        "Backends believe the headers that begin with `x-luigi`: they say who asks. A rule behind Luigi's lines, or of a backend, sets, changes or \
         removes one of them, so that they say something else than what was decided. Use another name, or choose with `luigi haproxy-config \
         --headers` which of them are added.",
        wrong r#"frontend www
    bind :443
    # Luigi's lines
    http-request set-header x-luigi-subject %[req.hdr(x-user)]
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    http-request set-header x-user-name %[req.hdr(x-user)]
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// A fact of the policy that the configuration never sets.
    FactNotSet = "fact-not-set", Warning:
        "The policy asks for a fact that HAProxy is to know, `[facts.NAME]`, and this section sets its variable nowhere before Luigi's lines. It \
         stays unknown: it opens nothing, and it denies where a deny rule asks for it.",
        wrong r#"frontend api
    bind :8443
    # Luigi's lines without the fact
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"frontend api
    bind :8443
    http-request set-var(txn.luigi_zone) str(north)
    # Luigi's lines without the fact
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// A frontend that a scope names and that there is not.
    UnknownFrontend = "unknown-frontend", Warning:
        "A scope names a frontend that this configuration does not have, so that the scope holds nothing that comes in here: what its rules allow \
         is refused, and what they deny or restrict is decided without them. Name the frontend as its section is called. If one policy is for \
         several configurations, and another one has it, accept this.",
        wrong r#"frontend www
    bind :443
    # Luigi's lines
    default_backend shop

frontend office
    bind 10.0.0.1:443
    # Luigi's lines
    default_backend admin

backend shop
    server s1 192.0.2.1:8080

backend admin
    server a1 192.0.2.2:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    default_backend shop

frontend admin
    bind 10.0.0.1:443
    # Luigi's lines
    default_backend admin

backend shop
    server s1 192.0.2.1:8080

backend admin
    server a1 192.0.2.2:8080
"#;
    /// Which servers get a request depends on what is not decided.
    UndecidedRouting = "undecided-routing", Warning:
        "Scopes are told apart by Host, and here something else chooses the servers: the name in TLS (SNI), a port, an address, a header, the query, or which \
         frontend was connected to. A client chooses it apart from the Host, so that a request is decided by the scopes of one host and served by \
         the servers of another. Choose servers by the Host that is decided, `{ req.hdr(host),host_only,lower -m str NAME }`, or refuse other \
         hosts in the frontend. Scopes may also name the `frontends` that they are about.",
        wrong r#"frontend www
    bind :443
    # Luigi's lines
    use_backend admin if { ssl_fc_sni admin.example.com }
    default_backend shop

backend shop
    server s1 192.0.2.1:8080

backend admin
    server a1 192.0.2.2:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    use_backend admin if { req.hdr(host),host_only,lower -m str admin.example.com admin.example.com. }
    default_backend shop

backend shop
    server s1 192.0.2.1:8080

backend admin
    server a1 192.0.2.2:8080
"#;
    /// A host shares servers with another one because no line names it.
    LeftOverHost = "left-over-host", Warning:
        "Requests for this host are left over for the last way of the frontend, and so are those for another host, about which there are other \
         rules. Servers that get both have to tell them apart by Host, and for a host that they do not know most take one that they do: what one \
         host is allowed is then done for the other. Reported where HAProxy itself tells hosts apart, and for `hosts = \"any\"` where that opens what \
         rules about a named host deny or restrict. Name the hosts of these servers and let nothing be left over for them; if the servers refuse \
         hosts that are not theirs, accept it.",
        wrong r#"frontend www
    bind :443
    # Luigi's lines
    use_backend blog if { req.hdr(host),host_only,lower -m str blog.example.com blog.example.com. }
    default_backend admin

backend blog
    server b1 192.0.2.3:8080

backend admin
    server a1 192.0.2.2:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    use_backend blog if { req.hdr(host),host_only,lower -m str blog.example.com blog.example.com. }
    use_backend admin if { req.hdr(host),host_only,lower -m str admin.example.com admin.example.com. }

backend blog
    server b1 192.0.2.3:8080

backend admin
    server a1 192.0.2.2:8080
"#;
    /// A host is decided in every spelling and routed in one.
    HostSpelling = "host-spelling", Warning:
        "Luigi decides hosts without regard to case, port and a final dot; this condition compares the bytes of the header. The spelling that is \
         shown is decided like the plain name and goes to other servers. Compare what is left without port and case, and name the host with a \
         final dot, too: `{ req.hdr(host),host_only,lower -m str NAME NAME. }`.",
        wrong r#"frontend www
    bind :443
    # Luigi's lines
    use_backend shop if { req.hdr(host) -i shop.example.com }
    default_backend admin

backend shop
    server s1 192.0.2.1:8080

backend admin
    server a1 192.0.2.2:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    use_backend shop if { req.hdr(host),host_only,lower -m str shop.example.com shop.example.com. }
    default_backend admin

backend shop
    server s1 192.0.2.1:8080

backend admin
    server a1 192.0.2.2:8080
"#;
    /// Paths are routed as they were received.
    ReceivedPathRouted = "received-path-routed", Warning:
        "A path is decided in its canonical form, and here the path as it was received chooses the servers: `/admin/../public` is decided as \
         `/public` and begins with `/admin`. Put in the line by which HAProxy goes on with the path that was decided; `luigi haproxy-config` \
         prints it unless `--forward received` was asked for.",
        wrong r#"frontend www
    bind :443
    # Luigi's lines with --forward received
    use_backend admin if { path_beg /admin }
    default_backend shop

backend shop
    server s1 192.0.2.1:8080

backend admin
    server a1 192.0.2.2:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    use_backend admin if { path_beg /admin }
    default_backend shop

backend shop
    server s1 192.0.2.1:8080

backend admin
    server a1 192.0.2.2:8080
"#;
    /// HAProxy lets malformed requests through.
    LenientParsing = "lenient-parsing", Warning:
        "With this option HAProxy lets requests through that it otherwise refuses: forbidden characters in targets and names of headers, NUL among \
         them. Luigi and the servers may then read such a request differently. Leave the option out, or see to the client that needs it.",
        wrong r#"frontend www
    bind :443
    option accept-invalid-http-request
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"frontend www
    bind :443
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// The mode cannot be chosen where HAProxy is started.
    FixedMode = "fixed-mode", Warning:
        "`setenv` wins over the environment that HAProxy is started with. With `LUIGI_MODE` set by it a policy file is in this mode whoever starts \
         HAProxy: with `observe` nothing is ever refused. What is printed has `presetenv`, which gives way. A feed brings its own mode, which \
         `luigi apply --mode` switches without a reload.",
        wrong r#"global
    setenv LUIGI_MODE observe

frontend www
    bind :443
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"global
    presetenv LUIGI_MODE observe

frontend www
    bind :443
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
    /// Buffers that are too small for the line of facts.
    SmallBuffer = "small-buffer", Warning:
        "HAProxy cuts the line of facts at `tune.bufsize`, and Luigi refuses what is cut as `malformed-facts`. The line is hardly longer than the \
         request; with less than the default of 16384 bytes long tokens and many groups no longer fit, and their requests are refused. Leave the \
         setting out, or raise it.",
        wrong r#"global
    tune.bufsize 8192

frontend www
    bind :443
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#,
        right r#"global
    tune.bufsize 32768

frontend www
    bind :443
    # Luigi's lines
    default_backend shop

backend shop
    server s1 192.0.2.1:8080
"#;
}

impl HaproxyLint {
    /// The policy that the examples stand behind.
    pub const EXAMPLE_POLICY: &str = r#"schema = 1

[issuers.corp]
url = "https://login.example.com"
audiences = ["apps"]

[groups]
staff = "staff"
admins = "admins"

[scopes.shop]
hosts = ["shop.example.com"]
paths = ["/**"]
methods = "read"

[scopes.admin]
hosts = ["admin.example.com"]
paths = ["/**"]
methods = "read"

[[rules]]
id = "staff-reads"
effect = "allow"
scopes = ["shop"]
subject = { groups = ["staff"] }

[[rules]]
id = "admins-read"
effect = "allow"
scopes = ["admin"]
subject = { groups = ["admins"] }
headers = { x-team = ["operations"] }
"#;

    /// The code that is written like this.
    #[must_use]
    pub fn find(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|lint| lint.as_str() == code)
    }

    /// Whether a comment in the configuration may accept it.
    #[must_use]
    pub const fn can_be_accepted(self) -> bool {
        !matches!(self, Self::HaproxySyntax)
    }
}

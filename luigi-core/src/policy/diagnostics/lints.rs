//! The lints: what is legal in a policy and dangerous, each with its explanation, an example and the cure.
//!
//! Only the texts stand here, the examples in files beside; what finds them is in [`crate::analysis::lint`]. An example is a part of a policy that
//! stands on [`EXAMPLE_GROUND`]; a test holds that it triggers its lint and that the cured one does not.

use super::Severity;

/// An enum of codes with their texts.
macro_rules! lints {
    ($(#[doc = $about:literal])+ enum $Lint:ident;
     $($(#[doc = $doc:literal])+ $name:ident = $code:literal, $severity:ident: $explanation:literal, wrong $wrong:expr, right $right:expr;)+) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $Lint {
            $($(#[doc = $doc])+ $name,)+
        }

        impl $Lint {
            /// Every lint.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable code, in kebab case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// How bad a finding is, unless the lint says that it depends.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)+
                }
            }

            /// What the lint means and why it matters, in a paragraph.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$name => $explanation,)+
                }
            }

            /// A part of a policy, or of HAProxy's configuration, that triggers the lint.
            #[must_use]
            pub const fn example(self) -> &'static str {
                match self {
                    $(Self::$name => $wrong,)+
                }
            }

            /// The same part as it should be.
            #[must_use]
            pub const fn cured(self) -> &'static str {
                match self {
                    $(Self::$name => $right,)+
                }
            }
        }
    };
}

pub(super) use lints;

/// What the examples of lints stand on.
pub const EXAMPLE_GROUND: &str = include_str!("examples/ground.toml");

lints! {
    /// A kind of finding. Exhaustive: match it without `_`. Codes are never reused for something else.
    enum Lint;
    /// An allow for anyone around a privileged scope.
    OpenAllow = "open-allow", Error:
        "An allow for anyone surrounds a privileged scope: its patterns would hold the privileged requests, and only `except` keeps them out. Whatever the \
         application adds next to them tomorrow is open to the world. Name what is public, not what is not.",
        wrong include_str!("examples/open-allow-wrong.toml"),
        right include_str!("examples/open-allow-right.toml");
    /// An allow that opens privileged requests without asking who.
    PrivilegedOpen = "privileged-open", Error:
        "An allow opens requests of a privileged scope to whoever comes, with no token, login or approval; an address or an hour is nobody's name, and the \
         record of a privileged request must say who made it. This cannot be accepted: say who, require a login, or leave the part that is \
         meant to be open out of the privileged scope with `except`.",
        wrong include_str!("examples/privileged-open-wrong.toml"),
        right include_str!("examples/privileged-open-right.toml");
    /// A broad allow that reaches a scope with stricter rules.
    SwallowedScope = "swallowed-scope", Warning:
        "A request may lie in several scopes, and any allow among their rules lets it through. Here a broad allow reaches into a scope whose own \
         rules ask for more, and no restrict rule holds that for everyone, so the stricter rules can be walked around; the request that is shown does it. \
         Leave the scope out of the broad one with `except`, or say with a restrict rule what holds whoever lets in. If the scope is \
         privileged this is an error, and cannot be accepted.",
        wrong include_str!("examples/swallowed-scope-wrong.toml"),
        right include_str!("examples/swallowed-scope-right.toml");
    /// An exemption that was made for a rule which is only observed.
    ObservedEscape = "observed-escape", Error:
        "A deny or restrict in force exempts somebody with `unless`, and the only allow that is meant for them is merely observed. The exemption \
         works from today on, the conditions of that allow do not: any other allow that lets these people in does so without the restriction. \
         Enforce the allow first, or observe both.",
        wrong include_str!("examples/observed-escape-wrong.toml"),
        right include_str!("examples/observed-escape-right.toml");
    /// A rule that can never match or never be met.
    DeadRule = "dead-rule", Error:
        "The rule can never have an effect: its methods are none of its scopes', nothing is left of its scopes, `unless` takes away all that it matches, two of its \
         conditions exclude each other, or a test can never be true. An allow that is dead surprises its author; a deny that is dead protects nobody. If a scope \
         of the rule is privileged this cannot be accepted. Where a deny without conditions closes all that an allow opens it is only a warning: \
         closing something in a hurry must be possible.",
        wrong include_str!("examples/dead-rule-wrong.toml"),
        right include_str!("examples/dead-rule-right.toml");
    /// A glass that can be broken without a sound.
    SilentGlass = "silent-glass", Error:
        "With `approvers = \"requester\"` access opens as soon as somebody asks. That is what a break-glass is for, as long as it makes a noise: \
         here nobody is told and no reason is asked for. Add `notify`, or require a justification; both is better.",
        wrong include_str!("examples/silent-glass-wrong.toml"),
        right include_str!("examples/silent-glass-right.toml");
    /// A rule that the client can walk around by what it sends.
    Spoofable = "spoofable", Warning:
        "The rule depends on something that the client writes itself, such as a header or a query parameter. A deny or a restriction is evaded by leaving \
         it out, an exemption or an allow is gained by putting it in, and a requirement is met by sending what is required. Base it on the identity, the network or the path; if a proxy in front sets the \
         header and removes what clients send, accept the finding and say so.",
        wrong include_str!("examples/spoofable-wrong.toml"),
        right include_str!("examples/spoofable-right.toml");
    /// A deny that depends on something its subject can change, or on too much at once.
    WeakDeny = "weak-deny", Warning:
        "A deny should hold whatever the denied person does. E-mail addresses change, and count only while the provider calls them verified; and keys \
         inside one matcher are joined by AND, so that naming a subject and an address denies only who has both. Name the subject, and put further \
         identifiers into matchers of their own: `subject = [{ subjects = [...] }, { emails = [...] }]`.",
        wrong include_str!("examples/weak-deny-wrong.toml"),
        right include_str!("examples/weak-deny-right.toml");
    /// A named segment that also matches a literal which other rules govern.
    CaptureOverlap = "capture-overlap", Warning:
        "`{id}` and `*` stand for any segment, also for one that another scope spells out: `/orders/{id}` holds `/orders/export`. Nothing takes precedence for \
         being more specific, so the rules about the one let in to the other as well, and the rules of the literal ask for more. Leave the literal out \
         with `except`, or restrict it.",
        wrong include_str!("examples/capture-overlap-wrong.toml"),
        right include_str!("examples/capture-overlap-right.toml");
    /// A privileged scope that is every path or every method.
    Product = "product", Warning:
        "A privileged scope is meant to be narrow: a grant for it should open one thing. `methods = \"any\"`, a path that ends in `**`, or `hosts = \"any\"` make it \
         admin for everything, today's operations and those of the next release. List the operations that are needed; if the program behind it \
         really is one thing, accept the finding and say why. With `luigi check --openapi FILE` every scope of `paths` and \
         `methods` is compared with the document, and what it opens beyond that is shown.",
        wrong include_str!("examples/product-wrong.toml"),
        right include_str!("examples/product-right.toml");
    /// An allow for everything on many hosts.
    BroadAllow = "broad-allow", Warning:
        "One and the same people may use methods that change something on every path, or nearly every path, of more than one host: whatever runs there now or later, to be \
         read, changed and deleted. That is admin for everything, whether the scopes are privileged or not, and it is easily written: `/**` or `.*` with \
         `methods = \"any\"` is the shortest scope there is. What all rules that let somebody in open together counts, a host each included; who is in several groups, a policy does not say. Name the \
         operations that are needed, divide the hosts among people, or take the `{name}` of a host where each is somebody's own; if everything is \
         meant, accept the finding on one of the rules and say why. A scope that only deny and restrict rules name may be as broad as it likes.",
        wrong include_str!("examples/broad-allow-wrong.toml"),
        right include_str!("examples/broad-allow-right.toml");
    /// An allow for everything on one host.
    WholeHost = "whole-host", Warning:
        "The rule opens methods that change something on every path of a host, or on nearly every path: what the application has today and whatever the next release adds, its \
         administration included. List the operations, or the trees that are meant, like `/v1/orders/**`; if the application really is one thing to whoever may use it, accept \
         the finding and say why. Whether a scope holds nearly every path is measured with paths that nobody names. Reading everything is not reported, nor a tree below a name.",
        wrong include_str!("examples/whole-host-wrong.toml"),
        right include_str!("examples/whole-host-right.toml");
    /// Networks that hold every address.
    OpenNetwork = "open-network", Warning:
        "The networks hold every address of IPv4, or every public one of IPv6, so that `from` keeps nobody out and an `unless` with it exempts everybody; a rule that \
         asks for them counts as one that does not ask where a request comes from. Among `proxies` it is worse: whoever comes is believed to be a proxy. Leave \
         `from` out where everyone is meant.",
        wrong include_str!("examples/open-network-wrong.toml"),
        right include_str!("examples/open-network-right.toml");
    /// Approvers who approve for themselves.
    RubberStamp = "rubber-stamp", Warning:
        "Everyone who may approve may also ask, and one voice is enough, so two colleagues can open the scope for each other whenever they like; if nobody \
         else may ask at all, the approval is a formality among its approvers. Let others approve, raise the quorum, or say that asking opens: \
         `approvers = \"requester\"`.",
        wrong include_str!("examples/rubber-stamp-wrong.toml"),
        right include_str!("examples/rubber-stamp-right.toml");
    /// A rule that will end soon.
    EndsSoon = "ends-soon", Warning:
        "The rule stops to match in less than two weeks: an allow closes by itself, a deny or restriction opens. Extend it, or remove it with a change that \
         somebody reads.",
        wrong include_str!("examples/ends-soon-wrong.toml"),
        right include_str!("examples/ends-soon-right.toml");
    /// A rule whose time is over.
    ExpiredRule = "expired-rule", Warning:
        "The rule's `ends` has passed, so it never matches again. Whoever reads the policy takes it for one that works, and a deny that has lapsed is easily \
         overlooked. Remove it, or extend it.",
        wrong include_str!("examples/expired-rule-wrong.toml"),
        right include_str!("examples/expired-rule-right.toml");
    /// HAProxy's statistics page, some of whose addresses are ambiguous.
    StatsUri = "stats-uri", Warning:
        "HAProxy's statistics page takes its options behind a semicolon: `/stats;csv`, `/stats;norefresh`. Servers disagree about `;` in paths, so such targets are \
         refused as `ambiguous-target` before any rule, and monitoring that reads `/stats;csv` stops. If this is that page, let its host accept the class; \
         if it is an application's own path, accept the finding.",
        wrong include_str!("examples/stats-uri-wrong.toml"),
        right include_str!("examples/stats-uri-right.toml");
    /// A host that accepts ambiguous targets.
    TwoReadings = "two-readings", Warning:
        "The host accepts targets that servers read differently, instead of refusing them. Each is decided as it stands and decoded once more, and passes only if both may, so that what a rule denies \
         in either way stays denied. What is left to trust is the server behind the host: one that reads such a target in a third way (it decodes twice, or takes a class \
         for another) serves what nobody decided, and what is forwarded is the path as it stands. Accept a class only where clients need it, and this finding with how the server reads it.",
        wrong include_str!("examples/two-readings-wrong.toml"),
        right include_str!("examples/two-readings-right.toml");
    /// A deny that sending no token evades.
    EvadableDeny = "evadable-deny", Warning:
        "A deny about certain people does not match a request without a token, and the same requests are allowed for anyone: whoever is denied leaves the \
         token out. Ask for an identity where some must be kept out, or leave the deny away where everyone is let in.",
        wrong include_str!("examples/evadable-deny-wrong.toml"),
        right include_str!("examples/evadable-deny-right.toml");
    /// An exemption that exempts nobody.
    IdleUnless = "idle-unless", Warning:
        "What `unless` asks for can never hold where the rule matches, so nobody is exempt. Probably one of the two conditions was meant to be another.",
        wrong include_str!("examples/idle-unless-wrong.toml"),
        right include_str!("examples/idle-unless-right.toml");
    /// Standing access to a privileged scope.
    StandingAccess = "standing-access", Warning:
        "Members of a group can use a privileged scope at any moment, from anywhere, with whatever login they have: neither the rule nor a restrict rule requires \
         anything. One stolen session is enough. Require an approval, a fresh login, or at least a network.",
        wrong include_str!("examples/standing-access-wrong.toml"),
        right include_str!("examples/standing-access-right.toml");
    /// More than one person's worth of admin.
    BroadAdmin = "broad-admin", Warning:
        "One and the same people can use every privileged scope of the policy, or more than three quarters of them, and there are at least three. Whoever is one of them holds more than one \
         person's worth of admin, and so does a thief of one session. All rules that let somebody in count together. Divide the work among groups, or put each scope behind an approval of its own.",
        wrong include_str!("examples/broad-admin-wrong.toml"),
        right include_str!("examples/broad-admin-right.toml");
    /// A definition that nothing names.
    Unused = "unused", Warning:
        "Nothing names this definition. Often the rule that should is missing, or names another by mistake; and what nobody uses is still read by whoever wants \
         to understand the policy. Use it or remove it.",
        wrong include_str!("examples/unused-wrong.toml"),
        right include_str!("examples/unused-right.toml");
    /// A scope with rules that nothing opens.
    UnreachableScope = "unreachable-scope", Warning:
        "Rules restrict or deny this scope, and no allow reaches it: everyone is denied with or without them. Either an allow is missing, or the rules have \
         outlived it.",
        wrong include_str!("examples/unreachable-scope-wrong.toml"),
        right include_str!("examples/unreachable-scope-right.toml");
    /// Two rules that say the same.
    IdenticalRules = "identical-rules", Warning:
        "Two rules differ in nothing but their ids. Whoever removes or tightens one of them will believe that this changes something.",
        wrong include_str!("examples/identical-rules-wrong.toml"),
        right include_str!("examples/identical-rules-right.toml");
    /// An allow for the customers of a public mail provider.
    PublicEmailDomain = "public-email-domain", Warning:
        "Anyone can have an address at this provider, so the matcher is hardly narrower than \"authenticated\". Name the people, or a group.",
        wrong include_str!("examples/public-email-domain-wrong.toml"),
        right include_str!("examples/public-email-domain-right.toml");
    /// An operation that no scope holds.
    UnscopedOperation = "unscoped-operation", Warning:
        "A document that was given with `luigi check --openapi FILE` has an operation that no scope holds, so no rule can let anyone in: probably it is new. \
         `luigi scopes from-openapi` writes the scope that is missing; a rule must then say who may use it.",
        wrong "",
        right "";
    /// An acceptance of nothing.
    NeedlessAccept = "needless-accept", Warning:
        "`accept` names a lint that finds nothing here. Either the danger is gone and the line can go, too, or it stands in the wrong place; left as it is, it \
         would hide the next finding of its kind.",
        wrong include_str!("examples/needless-accept-wrong.toml"),
        right include_str!("examples/needless-accept-right.toml");
    /// The analysis was not finished.
    CutShort = "cut-short", Warning:
        "The scopes of this policy overlap in so many ways that not all of them were looked at, so that checking takes a bounded time. Lints that compare scopes may \
         have missed something. Narrow the patterns that overlap most, such as `hosts = \"any\"` with `/**` in many scopes.",
        wrong "",
        right "";
}

impl Lint {
    /// The lint with this code.
    #[must_use]
    pub fn find(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|lint| lint.as_str() == code)
    }

    /// Whether findings come and go with the time, so that accepting one ahead of time is not needless.
    pub(crate) const fn depends_on_time(self) -> bool {
        matches!(self, Self::EndsSoon | Self::ExpiredRule)
    }

    /// Whether `accept` may name it.
    pub(crate) const fn can_be_accepted(self) -> bool {
        !matches!(self, Self::PrivilegedOpen | Self::UnscopedOperation | Self::NeedlessAccept | Self::CutShort)
    }
}

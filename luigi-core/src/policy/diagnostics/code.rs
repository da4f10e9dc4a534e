//! The stable codes of problems and what each of them means.

use super::{HaproxyLint, Lint};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal: $explanation:literal;)+) => {
        /// What kind of problem. Exhaustive: match it without `_`. Codes are never reused for something else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
            /// What a lint found.
            Lint(Lint),
            /// What was found in HAProxy's configuration.
            Haproxy(HaproxyLint),
        }

        impl Code {
            /// Every code but those of lints, which are [`Lint::ALL`] and [`HaproxyLint::ALL`].
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable code, in kebab case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                    Self::Lint(lint) => lint.as_str(),
                    Self::Haproxy(lint) => lint.as_str(),
                }
            }

            /// What the code means and why it matters, in a paragraph.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$name => $explanation,)+
                    Self::Lint(lint) => lint.explanation(),
                    Self::Haproxy(lint) => lint.explanation(),
                }
            }
        }
    };
}

codes! {
    /// There is no source at all.
    NoSource = "no-source":
        "A policy is one TOML file or a directory of them, and there was none. An empty policy would deny everything, which is hardly meant.";
    /// A source that cannot be read.
    SourceUnreadable = "source-unreadable":
        "A file of the policy is not there, or may not be read, or a directory has no policy files or too many. A policy of which a part is missing would open or close \
         other gates than the whole, so none of it counts.";
    /// A source that is not UTF-8.
    WrongEncoding = "wrong-encoding":
        "Policy files are TOML, which is UTF-8. Text in another encoding could be read as other names than those that were meant, so it is not guessed at. Save the file as UTF-8.";
    /// A source, or all of them together, are larger than is read.
    SourceTooLarge = "source-too-large":
        "A policy file may have 8 MiB and all files of a policy 64 MiB and a million tables and lists together, so that checking one takes bounded time and \
         memory. Generated policies can be spread over several files of a directory.";
    /// There are more problems than are shown.
    TooManyProblems = "too-many-problems":
        "Only the first thousand problems are kept. Often most of them have one cause; solve some and check again.";
    /// The text is not TOML.
    TomlSyntax = "toml-syntax":
        "The text is not TOML. Names in a file that cannot be read are not looked up, so further problems may show once this one is solved.";
    /// Keys, lists or tables nest too deeply.
    NestedTooDeeply = "nested-too-deeply":
        "A key may have 16 parts and lists and tables may lie 32 deep, so that reading a policy takes bounded memory. Nothing in the language comes near; such \
         a text was not written by hand.";
    /// A key is not part of the language.
    UnknownKey = "unknown-key":
        "Every key must be one that Luigi knows. A misspelt key that was silently ignored could open or close a gate that nobody meant to \
         touch.";
    /// A mandatory key is missing.
    MissingKey = "missing-key":
        "The table lacks a key that has no default, because every possible default would surprise somebody.";
    /// `schema` is not a version that this Luigi reads.
    UnsupportedSchema = "unsupported-schema":
        "Every file begins with `schema = 1`, the version of the language it is written in, so that a later Luigi reads it as it was meant.";
    /// A value has the wrong TOML type.
    WrongType = "wrong-type":
        "The value has another TOML type than the key takes: a string where a list belongs, or a local date where a point in time does.";
    /// A word is not one of those that the key takes.
    UnknownWord = "unknown-word":
        "The key takes one of a few words, and this is none of them.";
    /// A list, table or string that must hold something is empty.
    EmptyValue = "empty-value":
        "An empty list could be read as nothing or as everything. Luigi wants it said: leave the key out, or name what is meant.";
    /// A number is out of range.
    OutOfRange = "out-of-range":
        "The number is smaller or larger than is possible or sensible here.";
    /// Two keys that exclude each other.
    ConflictingKeys = "conflicting-keys":
        "The table has two keys of which only one can be meant.";
    /// A key that does not go with the rule's effect.
    MisplacedKey = "misplaced-key":
        "The key is known but has no meaning in this place: a deny rule has no requirements, for example, because nothing can be obtained that \
         would overcome it.";
    /// A name has characters that names do not have.
    InvalidName = "invalid-name":
        "Names and rule ids consist of ASCII letters, digits, `-`, `_` and `.`, begin with a letter or digit and have at most 64 characters. \
         Look-alikes from other alphabets are refused, because two names that look the same and are not have fooled reviewers before.";
    /// A name is defined twice.
    DuplicateName = "duplicate-name":
        "The same name is defined twice, perhaps in two files. Luigi does not guess which definition is meant.";
    /// An item stands twice in a list.
    DuplicateItem = "duplicate-item":
        "A list names the same thing twice. One of the two was probably meant to be something else.";
    /// A name refers to nothing.
    UnknownName = "unknown-name":
        "Groups, scopes, networks, schedules, logins, approvals, issuers and rules must be defined in the policy before they are named. A group \
         that is not in the table `groups` would otherwise be a rule that silently never applies.";
    /// The policy has environments and it is not clear for which one it is compiled.
    EnvironmentNotChosen = "environment-not-chosen":
        "A policy with `[environments]` means something else in each of them, so it is compiled for one: `--environment` of `luigi apply`, `explain` and \
         `decide`, or the setting of whatever reads the policy. A policy without the table is compiled for none.";
    /// Environments define different variables.
    EnvironmentVariables = "environment-variables":
        "A variable that one environment has and another lacks would leave hosts without meaning there. All environments define the same variables.";
    /// A variable of an environment is not one.
    InvalidVariable = "invalid-variable":
        "A variable stands for a part of a host wherever `{name}` is written in one: letters, digits, `-` and `_`, in labels with dots between them.";
    /// An issuer's URL is not one.
    InvalidIssuerUrl = "invalid-issuer-url":
        "The URL of an issuer is compared byte for byte with the `iss` of tokens and is where its keys come from. It must be an https URL without query, \
         fragment, user name or surrounding space; http is for an issuer on the same machine.";
    /// Two issuers have the same URL.
    DuplicateIssuer = "duplicate-issuer":
        "Two issuers have the same URL. A token names its issuer by URL, so it would be unclear whose trust settings hold.";
    /// No issuer is the default and something needs one.
    NoDefaultIssuer = "no-default-issuer":
        "A matcher without `issuers`, and \"authenticated\", mean the default issuer. With one issuer that one is the default; with several, one of \
         them must say `default = true`, or each matcher must name its issuers.";
    /// Several issuers are the default.
    SeveralDefaultIssuers = "several-default-issuers":
        "At most one issuer can be the one that a matcher without `issuers` means.";
    /// A value of `[groups]` cannot be a group.
    InvalidGroup = "invalid-group":
        "A group is the exact text that stands in tokens. Braces hold the one capture of a family of groups, as in `tenant-{tenant}`.";
    /// Two groups of `[groups]` could be one.
    FamilyOverlap = "family-overlap":
        "A family stands for one group for each value of a capture. If it can be the same group as another family or a single group, whoever \
         may name a tenant, say, could make members of one into members of the other: with `tenant-{tenant}` and `tenant-{tenant}-admins` \
         the members of a tenant called `acme-admins` would be the admins of `acme`.";
    /// A capture is taken where some pattern has none of that name.
    MissingCapture = "missing-capture":
        "A family of groups, `where` and an approval `per` something take the value of a captured path segment or host label. It must be there \
         whichever host and path of the rule's scopes holds the request; otherwise there would be nothing to compare with.";
    /// A name stands in a host and in a path of one scope.
    CaptureTwice = "capture-twice":
        "A capture has one value. The same name in a host and in a path of one scope would have two.";
    /// A network is not one.
    InvalidNetwork = "invalid-network":
        "A network is an address, or an address and a prefix length whose host bits are zero. `10.1.2.3/8` could be a typo for \
         `10.1.2.3` or for `10.0.0.0/8`; the two are very different gates.";
    /// A file that the policy names cannot be one, or cannot be read.
    InvalidFile = "invalid-file":
        "A policy names files in its own folder: not by absolute paths, not through `..`, and no link may lead out of it, so that a policy \
         is the same wherever its folder is and reads nothing that is not part of it. What cannot be read is an error, never an empty list.";
    /// Something in a team's file is about more than the team's hosts.
    OutsideBounds = "outside-bounds":
        "A file that begins with `[file]` keeps to the hosts named there: its scopes reach no others, its rules, whatever their effect, are about scopes \
         within them, and what holds for all files (environments, issuers, groups, facts, properties of hosts) is defined elsewhere. So a team can change its own \
         file without anybody else's doors opening or closing.";
    /// A schedule does not make sense.
    InvalidSchedule = "invalid-schedule":
        "A schedule has hours that begin and end on a wall clock, days, or dates. A span that is empty, or a day that is both named and left out, cannot \
         be what is meant.";
    /// A time of day is not one.
    InvalidTimeOfDay = "invalid-time-of-day":
        "Times of day are strings like \"08:00\", on a clock of 24 hours; \"24:00\" is possible as an end.";
    /// A time zone is not one.
    UnknownTimeZone = "unknown-time-zone":
        "Time zones are those of the IANA database that is compiled into Luigi, such as `Europe/Berlin` or `UTC`. Abbreviations like `CEST` are \
         ambiguous and not among them.";
    /// A duration is not one.
    InvalidDuration = "invalid-duration":
        "Durations are strings of whole numbers with the units d, h, m and s, largest first: \"15m\", \"1h30m\", \"1d\".";
    /// A rule ends before it starts.
    EmptyPeriod = "empty-period":
        "A rule that ends before it starts is never in force.";
    /// A host pattern is not one.
    InvalidHost = "invalid-host":
        "A host is a name, `*.` or `{label}.` and a name for one more label, `**.` and a name for one or more, an IP address, or the word \"any\" instead of the \
         list. Ports, user names, paths and other wildcards have no place there.";
    /// Two entries of `[hosts]` contradict each other.
    HostConflict = "host-conflict":
        "Two entries of `hosts` hold the same host and say different things about it. No pattern takes precedence over another by being more specific, so it would \
         be unclear how the paths of that host are compared.";
    /// Two entries of `[proxies]` contradict each other.
    ProxyConflict = "proxy-conflict":
        "Two entries of `proxies` hold the same peer and name different headers. Such a peer would say in two places where a request comes from, and only one of them can be its own.";
    /// A path template is not one.
    InvalidPath = "invalid-path":
        "A path template begins with `/` and consists of literal segments, `{name}` or `*` for exactly one segment, and possibly `**` at the end \
         for the rest. Literals are written as they look in the canonical form that requests are compared in.";
    /// A regular expression for paths is not one, or no path fits it.
    InvalidPathRegex = "invalid-path-regex":
        "A regular expression is about the whole canonical path of a request, without its query and without a final `/`. Paths begin with `/` and are ASCII; \
         what stands as an escape in them does so in upper case (`%20`, `%C3%A9`). An expression that no such path fits would be a scope \
         that silently holds nothing. Look-around and back references do not exist, and groups capture nothing.";
    /// Regular expressions grow beyond what is loaded.
    PathRegexTooLarge = "path-regex-too-large":
        "Expressions are compiled into automata when a policy is checked, so that a request costs one step for each byte whatever they say. The automaton of a scope may \
         have 1 MiB and those of a policy 16 MiB together. Counted repetitions of `.` behind something open, like `.*a.{20}`, grow without bound; \
         templates, anchored beginnings and narrower classes stay small.";
    /// A method is not one.
    InvalidMethod = "invalid-method":
        "Methods are written in upper case, as in a request line. \"read\", \"write\" and \"any\" stand instead of a list, not in it.";
    /// An operation is not a method and a path.
    InvalidOperation = "invalid-operation":
        "An operation is a method, one space, and a path template: \"POST /orders/{id}/cancel\".";
    /// Scopes leave each other out.
    ExceptCycle = "except-cycle":
        "A scope leaves out a scope that, directly or through others, leaves out the first one. What is left cannot be said.";
    /// A scope that is larger than compiled policies can be.
    ScopeTooLarge = "scope-too-large":
        "Scopes have limits, so that checking, loading and deciding take a bounded time: 64 segments in a path, 65,536 pairs of a host and a path in a \
         scope and 1,048,576 in a policy, `except` 16 deep, and 4,194,304 scopes that the rules name together, those of a tag counted for each rule that names it. \
         Wildcards and `**` say in one line what thousands of lines would, and one rule can let in many.";
    /// A code under `accept` is not a lint.
    UnknownLint = "unknown-lint":
        "`accept` names the lints whose finding is all right here, each with its reason.";
    /// A reason under `accept` that says nothing.
    EmptyReason = "empty-reason":
        "Whoever accepts a finding says why, in words that an auditor understands years later: at least three of them. \"ok\" and \"todo\" are not reasons.";
    /// A wildcard among literal subjects.
    PatternInSubjects = "pattern-in-subjects":
        "`subjects` are compared literally, so a `*` there would match nobody. Patterns belong in `subject-patterns`.";
    /// A value of a subject matcher cannot match.
    InvalidMatcher = "invalid-matcher":
        "A value in a matcher can never match, or matches everything: an e-mail address without `@`, a domain with one, a pattern of nothing but `*`.";
    /// A matcher of actors asks for what is known of subjects alone.
    UnknowableOfActor = "unknowable-of-actor":
        "A token tells of whoever acts for its subject what the `act` claim holds: an issuer, a subject, claims. Its groups, e-mail addresses and kind are the \
         subject's own. A `via` that asked for those of the actor would never match.";
    /// A claim test is not one.
    InvalidClaim = "invalid-claim":
        "A claim is found by a path, an array of names, and compared with strings, integers or booleans. Fractions and times have no exact \
         equality in JSON tokens.";
    /// A header that rules cannot ask for.
    RefusedHeader = "refused-header":
        "Some headers cannot be predicates: those that carry credentials, those that Luigi sets itself, those that end at the next hop, and those by which \
         clients or other proxies say where a request comes from or who sent it. Every client can write what it likes into `X-Forwarded-For`, so a gate that \
         trusts it is open.";
    /// A fact, header, or name in a certificate that cannot be.
    InvalidFact = "invalid-fact":
        "The name of a fact or header, a value, or something that a client certificate is compared with has a form that no request could have, or a fact is \
         compared with a value that is not among those of its definition.";
    /// An approval is asked for where there is no scope to approve.
    ApprovalWithoutScope = "approval-without-scope":
        "A grant opens one scope. A rule about all requests has none, so no grant could ever meet its approval.";
    /// `scopes = "all"` on an allow rule.
    AllowAll = "allow-all":
        "An allow rule names its scopes. A rule that opened every request, also those in no scope, would make every other rule pointless.";
    /// A target of `notify` is not one.
    InvalidNotify = "invalid-notify":
        "Whom to tell is written as a service and a place: `slack:#access-requests`.";
    /// A test's request is not one.
    InvalidRequest = "invalid-request":
        "A test's request is a method, one space, and a URL with http or https, or a path alone for a request without Host.";
    /// A test does not make sense.
    InvalidTest = "invalid-test":
        "The test asks for something that cannot be: a grant for nobody, for example.";
    /// A test in the policy came out otherwise than it expects.
    TestFailed = "test-failed":
        "The policy decides the request of a test otherwise than the test expects. Either the rules say something that was not meant, or the \
         expectation is out of date; the explanation below shows each rule that was considered.";
    /// A test in the policy leaves out what a rule in question asks for.
    TestLacksFact = "test-lacks-fact":
        "A rule that matters for the test asks where the request comes from or when it is made, and the test does not say. Whatever came out \
         would mean nothing. What cannot change the outcome may be left out, and so may `from` in a test that expects `deny`, where only allow \
         rules ask for it.";
}

impl Code {
    /// The code that is written like this.
    #[must_use]
    pub fn find(code: &str) -> Option<Self> {
        Self::every().find(|known| known.as_str() == code)
    }

    /// The code that was probably meant by one that there is not.
    #[must_use]
    pub fn suggestion(wrong: &str) -> Option<Self> {
        let codes = Self::every().map(Self::as_str);
        crate::policy::syntax::suggestion(wrong, codes).and_then(Self::find)
    }

    /// Every code, those of lints at the end.
    pub fn every() -> impl Iterator<Item = Self> {
        let lints = Lint::ALL.iter().copied().map(Self::Lint);
        Self::ALL.iter().copied().chain(lints).chain(HaproxyLint::ALL.iter().copied().map(Self::Haproxy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_distinct_and_explained() {
        let all: Vec<Code> = Code::every().collect();
        let codes: std::collections::BTreeSet<_> = all.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), all.len());
        for code in all {
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code:?}");
            let text = code.explanation();
            assert!(text.ends_with('.') && !text.contains("  "), "{code:?}: {text}");
        }
    }
}

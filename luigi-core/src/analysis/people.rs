//! Who asks, cut into what the rules in play can tell apart: credential and issuer, groups, subject, e-mail, kind, login, actor. Claims are in
//! `claims`.

use super::claims::{self, Asked, Captured, MAX_CLAIM_VALUES, by_name, is_subject};
use super::dimension::{Atom, Atoms, Axis, Dimension, LoginFacts, MAX_ATOMS, Raw, Setting};
use super::in_play::{InPlay, Side};
use super::subject_patterns;
use crate::identity::{Actor, Assertion, Completeness, Credential, Email, Groups, Identity, Login};
use crate::kleene::Kleene;
use crate::matchers::{Captures, Person, actor_is, login_meets, subject_fits};
use crate::policy::captures::CaptureValues;
use crate::policy::model::{ActorMatcher, ClaimValue, ClaimValues, IssuerId, Policy, SubjectMatcher, TableId, Via};
use crate::time::Timestamp;
use serde_json::{Map, Value};

/// Up to so many groups (and other things of which somebody may have several) every combination is looked at.
const MAX_COMBINED: usize = 10;
/// Any moment will do where nothing depends on it.
const SOME_TIME: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

/// All dimensions of who asks that matter here.
pub(super) fn dimensions(sides: &[Side<'_>], in_play: &InPlay<'_>, captured: &Captured) -> Vec<Dimension> {
    let mut all = vec![credentials(sides, in_play)];
    let nobody_matters = in_play.matchers.is_empty()
        && in_play.authenticated.is_empty()
        && in_play.logins.is_empty()
        && in_play.vias.is_empty()
        && in_play.captured.is_empty();
    if nobody_matters {
        return all;
    }
    all.push(groups(sides, in_play));
    all.push(subjects(sides, in_play, captured));
    all.push(emails(sides, in_play));
    all.push(kinds(in_play));
    all.extend(claims::dimensions(sides, in_play, captured));
    all.push(logins(sides, in_play));
    all.push(actors(sides, in_play));
    all
}

/// A set of some of these; `at` counts from 0.
pub(super) fn subset(of: Atoms, at: usize) -> bool {
    of >> at & 1 == 1
}

/// Every set of so many, or, if they are too many, none, each, each two, and those that are asked for; and whether these are all.
pub(super) fn subsets(many: usize, asked: &[Atoms]) -> (Vec<(Atoms, u32)>, bool) {
    if many <= MAX_COMBINED {
        let rank = |set: Atoms| if asked.contains(&set) { 1 } else { set.count_ones() };
        return ((0..1 << many).map(|set| (set, rank(set))).collect(), true);
    }
    let mut sets: Vec<(Atoms, u32)> = vec![(0, 0)];
    sets.extend((0..many).map(|at| (1 << at, 1)));
    sets.extend(asked.iter().filter(|set| set.count_ones() > 1).map(|set| (*set, 1)));
    for one in 0..many {
        sets.extend((one + 1..many).map(|other| (1 << one | 1 << other, 2)));
    }
    (sets, false)
}

fn value(value: Kleene) -> u8 {
    match value {
        Kleene::False => 0,
        Kleene::Unknown => 1,
        Kleene::True => 2,
    }
}

/// Somebody with nothing but what is put in; never a part of a decision outside this analysis.
pub(super) fn somebody(issuer: &str, subject: &str, expires_at: Timestamp) -> Assertion {
    Identity::assert("analysis", issuer, subject, expires_at)
}

/// Parts of matchers, asked about one part of an identity at a time: the rest of both is left out.
pub(super) struct Probe<'a> {
    pub(super) parts: Vec<(&'a Policy, SubjectMatcher)>,
}

impl<'a> Probe<'a> {
    /// The matchers that ask for this part, each reduced to it; `part` is `None` where one does not.
    fn new(sides: &[Side<'a>], in_play: &InPlay<'a>, part: impl Fn(&SubjectMatcher) -> Option<SubjectMatcher>) -> Self {
        let mut parts: Vec<(&Policy, SubjectMatcher)> = Vec::new();
        for (side, matcher) in &in_play.matchers {
            let policy = sides[*side].snapshot.policy();
            if policy.issuers.is_empty() {
                continue;
            }
            if let Some(part) = part(matcher) {
                parts.push((policy, SubjectMatcher { issuers: vec![IssuerId::from_index(0)], ..part }));
            }
        }
        Self { parts }
    }

    /// What each part says about somebody.
    pub(super) fn ask(&self, subject: &str, with: impl Fn(Assertion) -> Assertion) -> Vec<u8> {
        let ask = |(policy, part): &(&Policy, SubjectMatcher)| {
            let url = &policy.issuers[IssuerId::from_index(0)].trust.url;
            let identity = with(somebody(url, subject, SOME_TIME.plus_seconds(60))).finish();
            let person = Person::of(&Credential::Verified(&identity), SOME_TIME);
            value(person.is_any_of(std::slice::from_ref(part), policy, &Captures::NONE))
        };
        self.parts.iter().map(ask).collect()
    }
}

/// The issuers that either policy knows. One that a policy does not know is one whose tokens it does not believe.
fn credentials(sides: &[Side<'_>], in_play: &InPlay<'_>) -> Dimension {
    let mut issuers: Vec<(&str, &str)> = Vec::new();
    for side in sides {
        let policy = side.snapshot.policy();
        let default = policy.default_issuer.map(|id| &policy.issuers[id]);
        for issuer in default.into_iter().chain(policy.issuers.iter().map(|(_, issuer)| issuer)) {
            if !issuers.iter().any(|(url, _)| *url == issuer.trust.url) {
                issuers.push((&issuer.trust.url, &issuer.name));
            }
        }
    }
    let gap = (issuers.len() > MAX_ATOMS - 2).then(|| format!("{} issuers", issuers.len()));
    issuers.truncate(MAX_ATOMS - 2);
    let signature = |url: &str| {
        let mut signature = vec![2];
        for side in sides {
            let policy = side.snapshot.policy();
            signature.push(u8::from(policy.issuers.iter().any(|(_, issuer)| issuer.trust.url == url)));
        }
        let of_matchers = in_play.matchers.iter().map(|(side, matcher)| (side, &matcher.issuers));
        let of_captures = in_play.captured.iter().filter_map(|(side, test)| match &test.accepts {
            CaptureValues::Claim { path: _, issuers } => Some((side, issuers)),
            CaptureValues::In(_) => None,
        });
        for (side, issuers) in of_matchers.chain(of_captures) {
            let policy = sides[*side].snapshot.policy();
            let default = policy.default_issuer.as_slice();
            let named = if issuers.is_empty() { default } else { &issuers[..] };
            signature.push(u8::from(named.iter().any(|id| policy.issuers[*id].trust.url == url)));
        }
        for side in &in_play.authenticated {
            let policy = sides[*side].snapshot.policy();
            let default = policy.default_issuer.map(|id| policy.issuers[id].trust.url.as_str());
            signature.push(u8::from(default == Some(url)));
        }
        signature
    };
    let atom = |yes: String| Atom { no: format!("not {yes}"), yes };
    let mut atoms = vec![atom("without a credential".to_owned()), atom("whose token is not believed".to_owned())];
    let mut raw = vec![
        Raw { setting: Setting::Nobody, atoms: 1, rank: 1, signature: vec![0] },
        Raw { setting: Setting::Unverifiable, atoms: 2, rank: 3, signature: vec![1] },
    ];
    for (at, (url, name)) in issuers.iter().enumerate() {
        atoms.push(atom(format!("of issuer `{name}`")));
        raw.push(Raw {
            setting: Setting::Issuer((*url).to_owned()),
            atoms: 1 << (at + 2),
            rank: if at == 0 { 0 } else { 2 },
            signature: signature(url),
        });
    }
    Dimension::reduce(Axis::Credential, atoms, gap, raw)
}

fn groups(sides: &[Side<'_>], in_play: &InPlay<'_>) -> Dimension {
    // By value, because that is what tokens have; with the names of the first policy that has one.
    // A family as it is written: whoever is in it is in its group for what the target captures.
    let mut held: Vec<(String, String, Vec<u8>)> = Vec::new();
    for (at, (side, matcher)) in in_play.matchers.iter().enumerate() {
        let SubjectMatcher { groups, groups_all, .. } = matcher;
        let any = groups.iter().map(|id| (id, 1_u8));
        for (id, how) in any.chain(groups_all.iter().map(|id| (id, 2))) {
            let group = &sides[*side].snapshot.policy().groups[*id];
            let written = group.value.to_string();
            let known = held.iter().position(|(value, ..)| *value == written).unwrap_or_else(|| {
                let of = group.value.family().map_or(String::new(), |family| format!(":{{{}}}", family.capture));
                held.push((written, format!("{}{of}", group.name), vec![0; in_play.matchers.len()]));
                held.len() - 1
            });
            held[known].2[at] |= how;
        }
    }
    // Groups that always stand in the same lists, any of which will do, are as good as one.
    let mut merged: Vec<(Vec<String>, Vec<String>, Vec<u8>)> = Vec::new();
    for (value, name, uses) in held {
        let alike = merged.iter_mut().find(|(.., other)| *other == uses && uses.iter().all(|how| *how < 2));
        match alike {
            Some((values, names, _)) => {
                values.push(value);
                names.push(name);
            }
            None => merged.push((vec![value], vec![name], uses)),
        }
    }
    let too_many = merged.len() >= MAX_ATOMS;
    merged.truncate(MAX_ATOMS - 1);
    let many = merged.len();
    let asked: Vec<Atoms> = (0..in_play.matchers.len())
        .map(|at| {
            let all = merged.iter().enumerate().filter(|(_, (.., uses))| uses[at] & 2 == 2);
            all.fold(0, |set, (group, _)| set | 1 << group)
        })
        .filter(|set: &Atoms| *set != 0)
        .collect();
    let (sets, complete) = subsets(many, &asked);
    let gap = (!complete || too_many)
        .then(|| format!("{many} groups: none, each, each two, and those that a rule asks for together"));
    let mut atoms: Vec<Atom> = merged
        .iter()
        .map(|(_, names, _)| {
            let names = super::words::listed(names.iter().map(String::as_str), "or");
            Atom { yes: format!("in {names}"), no: format!("not in {names}") }
        })
        .collect();
    atoms.push(Atom {
        yes: "with a list of groups that was cut off".to_owned(),
        no: "with a whole list of groups".to_owned(),
    });
    let cut_off: Atoms = 1 << many;
    let signature = |set: Atoms, complete: bool| {
        let absent = if complete { Kleene::False } else { Kleene::Unknown };
        let has = |at: usize| if subset(set, at) { Kleene::True } else { absent };
        let merged = &merged;
        let each = (0..in_play.matchers.len()).map(|at| {
            let using = |how: u8| (0..many).filter(move |group| merged[*group].2[at] & how == how);
            let none = using(1).next().is_none();
            let any = if none { Kleene::True } else { using(1).map(has).fold(Kleene::False, Kleene::or) };
            value(using(2).map(has).fold(any, Kleene::and))
        });
        each.collect::<Vec<_>>()
    };
    let raw = sets.iter().flat_map(|(set, rank)| [(*set, *rank, true), (*set, *rank + 2, false)]);
    let raw = raw.map(|(set, rank, complete)| {
        let names = (0..many).filter(|at| subset(set, *at)).map(|at| merged[at].0[0].as_str().into()).collect();
        let completeness = if complete { Completeness::Complete } else { Completeness::CutOff };
        Raw {
            setting: Setting::Groups(Groups::new(names, completeness)),
            atoms: if complete { set } else { set | cut_off },
            rank,
            signature: signature(set, complete),
        }
    });
    Dimension::reduce(Axis::Groups, atoms, gap, raw)
}

fn subjects(sides: &[Side<'_>], in_play: &InPlay<'_>, captured: &Captured) -> Dimension {
    // What stands in the claim that subjects are taken from is known with the subject.
    let mut asked = Asked::of(in_play, captured);
    asked.retain(|asked| is_subject(sides, &asked.test.path));
    let mut said: Vec<(String, String)> = Vec::new();
    for one in &asked {
        match &one.test.accepts {
            ClaimValues::In(values) => said.extend(values.iter().filter_map(|value| match value {
                ClaimValue::Text(text) => Some((text.clone(), one.words(value))),
                ClaimValue::Integer(_) | ClaimValue::Boolean(_) => None,
            })),
            ClaimValues::Words(words) => {
                let path = one.test.path.join(".");
                said.extend(words.iter().map(|word| (word.clone(), format!("word `{word}` in claim `{path}`"))));
            }
            ClaimValues::Present | ClaimValues::Absent | ClaimValues::AfterNow => {}
        }
    }
    let mut probe = Probe::new(sides, in_play, |matcher| {
        let SubjectMatcher { subjects, subject_patterns, .. } = matcher;
        let asks = !subjects.is_empty() || !subject_patterns.is_empty();
        let (subjects, subject_patterns) = (subjects.clone(), subject_patterns.clone());
        asks.then(|| SubjectMatcher { subjects, subject_patterns, ..SubjectMatcher::default() })
    });
    if let Some(policy) = sides.iter().map(|side| side.snapshot.policy()).find(|policy| !policy.issuers.is_empty()) {
        let issuers = || vec![IssuerId::from_index(0)];
        probe
            .parts
            .extend(asked.iter().map(|asked| (policy, SubjectMatcher { issuers: issuers(), ..asked.matcher() })));
    }
    let trust = sides.iter().flat_map(|side| side.snapshot.policy().issuers.iter()).next();
    let ask = |text: &str| {
        probe.ask(text, |person| match trust {
            Some((_, issuer)) => person.with_token_claims(&issuer.trust),
            None => person,
        })
    };
    let naming = in_play.matchers.iter().map(|(_, matcher)| (&matcher.subjects[..], &matcher.subject_patterns[..]));
    let (mut raw, mut atoms, mut gap) = subject_candidates(naming);
    for (text, words) in said {
        if atoms.len() == MAX_ATOMS {
            gap = Some("subjects of whom some claims are looked at".to_owned());
            break;
        }
        let is_it = 1 << atoms.len();
        atoms.push(Atom { yes: format!("with {words}"), no: format!("without {words}") });
        match raw.iter_mut().find(|(known, _)| *known == text) {
            Some((_, made_of)) => *made_of |= is_it,
            None => {
                let fits = |pattern: &&String| subject_fits(pattern, &text);
                let patterns = in_play.matchers.iter().flat_map(|(_, matcher)| &matcher.subject_patterns);
                let fitting = patterns.filter(fits).filter_map(|pattern| {
                    let like = format!("known as something like `{pattern}`");
                    atoms.iter().position(|atom| atom.yes == like)
                });
                let made_of = fitting.fold(is_it, |set: Atoms, at| set | 1 << at);
                raw.push((text, made_of));
            }
        }
    }
    let unnamed = |text: &&&str| ask(text).iter().all(|value| *value == 0);
    match ["somebody", "somebody-else", "0"].iter().find(unnamed) {
        Some(fresh) => raw.insert(0, ((*fresh).to_owned(), 0)),
        None if raw.is_empty() => raw.push(("somebody".to_owned(), 0)),
        None => gap = gap.or_else(|| Some("subjects that are neither named nor like a pattern".to_owned())),
    }
    let raw = raw.into_iter().map(|(text, atoms)| Raw {
        signature: ask(&text),
        setting: Setting::Subject(text),
        atoms,
        rank: u32::from(atoms != 0),
    });
    Dimension::reduce(Axis::Subject, atoms, gap, raw)
}

/// Each subject that is named, and one for each way to fit the patterns; with what they are made of.
fn subject_candidates<'n>(
    naming: impl Iterator<Item = (&'n [String], &'n [String])>,
) -> (Vec<(String, Atoms)>, Vec<Atom>, Option<String>) {
    let (mut literals, mut patterns): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for (subjects, like) in naming {
        literals.extend(subjects.iter().map(String::as_str));
        patterns.extend(like.iter().map(String::as_str));
    }
    for list in [&mut literals, &mut patterns] {
        list.sort_unstable();
        list.dedup();
    }
    let kind = subject_patterns::Kind { separators: b":/", fits: subject_fits };
    let (texts, complete) = subject_patterns::witnesses(&patterns, kind);
    let mut gap = (!complete && !patterns.is_empty()).then(|| format!("{} subject patterns", patterns.len()));
    // Beyond that many names the first ones stand for the rest: each is in some list, and lists are what rules look at.
    if literals.len() + patterns.len() > MAX_ATOMS {
        gap = Some(format!("{} subjects and subject patterns", literals.len() + patterns.len()));
        patterns.truncate(MAX_ATOMS / 2);
        literals.truncate(MAX_ATOMS - patterns.len());
    }
    let atoms =
        literals.iter().map(|text| Atom { yes: format!("known as `{text}`"), no: format!("not known as `{text}`") });
    let like = patterns.iter().map(|text| Atom {
        yes: format!("known as something like `{text}`"),
        no: format!("not known as something like `{text}`"),
    });
    let atoms = atoms.chain(like).collect();
    let texts = texts.iter().map(String::as_str).filter(|text| !literals.contains(text));
    let made_of = |text: &str| {
        let named = literals.iter().map(|literal| *literal == text);
        let fitting = patterns.iter().map(|pattern| subject_fits(pattern, text));
        named.chain(fitting).enumerate().fold(0, |set: Atoms, (at, is)| if is { set | 1 << at } else { set })
    };
    let all = literals.iter().copied().chain(texts).map(|text| (text.to_owned(), made_of(text))).collect();
    (all, atoms, gap)
}

fn emails(sides: &[Side<'_>], in_play: &InPlay<'_>) -> Dimension {
    let probe = Probe::new(sides, in_play, |matcher| {
        let SubjectMatcher { emails, email_domains, .. } = matcher;
        let asks = !emails.is_empty() || !email_domains.is_empty();
        let (emails, email_domains) = (emails.clone(), email_domains.clone());
        asks.then(|| SubjectMatcher { emails, email_domains, ..SubjectMatcher::default() })
    });
    let asking: Vec<&SubjectMatcher> = in_play
        .matchers
        .iter()
        .map(|(_, matcher)| *matcher)
        .filter(|matcher| !matcher.emails.is_empty() || !matcher.email_domains.is_empty())
        .collect();
    let mut addresses: Vec<&str> = asking.iter().flat_map(|one| one.emails.iter().map(String::as_str)).collect();
    let mut domains: Vec<&str> = asking.iter().flat_map(|one| one.email_domains.iter().map(String::as_str)).collect();
    for list in [&mut addresses, &mut domains] {
        list.sort_unstable();
        list.dedup();
    }
    let gap = (addresses.len() + domains.len() > MAX_ATOMS - 3)
        .then(|| format!("{} e-mail addresses and domains", addresses.len() + domains.len()));
    domains.truncate(MAX_ATOMS / 2);
    addresses.truncate(MAX_ATOMS - 3 - domains.len());
    let atom = |yes: String, no: String| Atom { yes, no };
    let mut atoms: Vec<Atom> =
        addresses.iter().map(|one| atom(format!("with e-mail `{one}`"), format!("without e-mail `{one}`"))).collect();
    atoms.extend(
        domains.iter().map(|one| atom(format!("with an e-mail at `{one}`"), format!("without an e-mail at `{one}`"))),
    );
    let unverified: Atoms = 1 << atoms.len();
    let unsaid: Atoms = unverified << 1;
    atoms.push(atom(
        "with an e-mail that is not verified".to_owned(),
        "with an e-mail that is not said to be unverified".to_owned(),
    ));
    atoms.push(atom(
        "with an e-mail of which is not known whether it is verified".to_owned(),
        "with an e-mail of which is known whether it is verified".to_owned(),
    ));
    let signature = |email: Option<&Email>| {
        probe.ask("somebody", |person| match email {
            Some(email) => person.email(email.clone()),
            None => person,
        })
    };
    let mut raw = vec![Raw { setting: Setting::Email(None), atoms: 0, rank: 0, signature: signature(None) }];
    let at_domains = domains.iter().map(|domain| {
        let local =
            (0_u64..).map(|n| if n == 0 { format!("somebody@{domain}") } else { format!("somebody{n}@{domain}") });
        local.take(MAX_ATOMS).find(|address| !addresses.contains(&address.as_str())).unwrap_or_default()
    });
    for address in addresses.iter().map(|address| (*address).to_owned()).chain(at_domains) {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let named = addresses.iter().map(|one| *one == address).chain(domains.iter().map(|one| *one == domain));
        let made_of = named.enumerate().fold(0, |set: Atoms, (at, is)| if is { set | 1 << at } else { set });
        for (verified, how, rank) in [(Some(true), 0, 1), (None, unsaid, 2), (Some(false), unverified, 2)] {
            let email = Email { address: address.as_str().into(), verified };
            raw.push(Raw {
                signature: signature(Some(&email)),
                setting: Setting::Email(Some(email)),
                atoms: made_of | how,
                rank,
            });
        }
    }
    Dimension::reduce(Axis::Email, atoms, gap, raw)
}

fn kinds(in_play: &InPlay<'_>) -> Dimension {
    let asking: Vec<&Vec<String>> =
        in_play.matchers.iter().map(|(_, matcher)| &matcher.kinds).filter(|kinds| !kinds.is_empty()).collect();
    let mut kinds: Vec<&str> = asking.iter().flat_map(|kinds| kinds.iter().map(String::as_str)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let gap = (kinds.len() > MAX_ATOMS).then(|| format!("{} kinds", kinds.len()));
    kinds.truncate(MAX_ATOMS);
    let atoms = kinds.iter().map(|kind| Atom { yes: format!("of kind `{kind}`"), no: format!("not of kind `{kind}`") });
    let raw = std::iter::once(None).chain(kinds.iter().copied().map(Some)).enumerate().map(|(at, kind)| Raw {
        setting: Setting::Kind(kind.map(str::to_owned)),
        atoms: if at == 0 { 0 } else { 1 << (at - 1) },
        rank: u32::from(at > 0),
        signature: asking
            .iter()
            .map(|list| u8::from(kind.is_some_and(|kind| list.iter().any(|k| k == kind))))
            .collect(),
    });
    Dimension::reduce(Axis::Kind, atoms.collect(), gap, raw)
}

/// Sorted, each once.
fn distinct<'t>(texts: impl Iterator<Item = &'t String>) -> Vec<&'t str> {
    let mut texts: Vec<&str> = texts.map(String::as_str).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn logins(sides: &[Side<'_>], in_play: &InPlay<'_>) -> Dimension {
    let required: Vec<_> =
        in_play.logins.iter().map(|(side, id)| &sides[*side].snapshot.policy().logins[*id]).collect();
    let acrs = distinct(required.iter().flat_map(|login| &login.acr_any));
    let amrs = distinct(required.iter().flat_map(|login| login.amr_any.iter().chain(&login.amr_all)));
    let mut ages: Vec<i64> = required.iter().filter_map(|login| login.max_age_seconds.map(i64::from)).collect();
    ages.sort_unstable();
    ages.dedup();
    let (sets, complete) = subsets(amrs.len(), &[]);
    let gap = (!complete).then(|| format!("{} authentication methods", amrs.len()));

    // An ordinary login comes first: just made, and nothing said about how.
    let mut times = vec![Some(0)];
    times.extend(ages.iter().map(|age| Some(age + 1)));
    times.extend([None, Some(-301)]);
    let mut contexts = vec![Some("other".to_owned()), None];
    contexts.extend(acrs.iter().map(|acr| Some((*acr).to_owned())));
    let mut methods: Vec<Option<Vec<String>>> = vec![None];
    methods.extend(
        sets.iter().map(|(set, _)| {
            Some((0..amrs.len()).filter(|at| subset(*set, *at)).map(|at| amrs[at].to_owned()).collect())
        }),
    );
    let mut names: Vec<(&str, usize)> = Vec::new();
    let atoms = required.iter().enumerate().map(|(at, login)| {
        let changed = names.iter().any(|(name, other)| *name == login.name && required[*other] != *login);
        names.push((&login.name, at));
        let as_it_is = if changed { " as it is now" } else { "" };
        Atom {
            yes: format!("with a login like `{}`{as_it_is}", login.name),
            no: format!("without a login like `{}`{as_it_is}", login.name),
        }
    });
    let mut raw = Vec::new();
    for age in &times {
        for acr in &contexts {
            for amr in &methods {
                let facts = LoginFacts { age_seconds: *age, acr: acr.clone(), amr: amr.clone() };
                let person = somebody("", "somebody", SOME_TIME.plus_seconds(60)).login(login_at(&facts, SOME_TIME));
                let person = person.finish();
                let person = Person::of(&Credential::Verified(&person), SOME_TIME);
                let meets = |login: &&crate::policy::model::Login| login_meets(login, person, SOME_TIME);
                let signature: Vec<u8> = required.iter().map(|login| value(meets(login))).collect();
                let met = signature.iter().enumerate().filter(|(_, value)| **value == 2);
                let atoms = met.fold(0, |set: Atoms, (at, _)| set | 1 << (at % MAX_ATOMS));
                let strange = u32::from(signature.contains(&1));
                raw.push(Raw {
                    setting: Setting::Login(facts),
                    atoms,
                    rank: 2 * atoms.count_ones() + strange,
                    signature,
                });
            }
        }
    }
    Dimension::reduce(Axis::Login, atoms.take(MAX_ATOMS).collect(), gap, raw)
}

/// The login of somebody who asks at `time`.
pub(super) fn login_at(facts: &LoginFacts, time: Timestamp) -> Login {
    Login {
        auth_time: facts.age_seconds.map(|age| time.plus_seconds(-age)),
        acr: facts.acr.as_deref().map(Into::into),
        amr: facts.amr.as_ref().map(|methods| methods.iter().map(|method| method.as_str().into()).collect()),
    }
}

fn actors(sides: &[Side<'_>], in_play: &InPlay<'_>) -> Dimension {
    let via: Vec<&ActorMatcher> = in_play
        .vias
        .iter()
        .flat_map(|(_, via)| match via {
            Via::Any => &[][..],
            Via::AnyOf(matchers) => matchers,
        })
        .collect();
    let subjects = in_play.matchers.iter().map(|(_, one)| (&one.subjects[..], &one.subject_patterns[..]));
    let actors = via.iter().map(|one| (&one.subjects[..], &one.subject_patterns[..]));
    let (candidates, named, mut gap) = subject_candidates(subjects.chain(actors));
    let mut issuers: Vec<&str> = Vec::new();
    for side in sides {
        for (_, issuer) in side.snapshot.policy().issuers.iter() {
            if !issuers.contains(&issuer.trust.url.as_str()) {
                issuers.push(&issuer.trust.url);
            }
        }
    }
    // Claims of the actor are not put into words: that somebody acts, and who, is.
    let mut held_claims: Vec<Map<String, Value>> = vec![Map::new()];
    for (name, tests) in by_name(via.iter().flat_map(|one| one.claims.iter().map(Asked::plain)).collect()) {
        let (tokens, _, more) = claims::values(&name, &tests);
        gap = gap.or(more);
        let with: Vec<Map<String, Value>> = held_claims
            .iter()
            .flat_map(|held| {
                let name = &name;
                tokens.iter().filter_map(|(token, ..)| token.as_ref()).map(move |token| {
                    let mut held = held.clone();
                    held.insert(name.clone(), token.clone());
                    held
                })
            })
            .collect();
        held_claims.extend(with);
        if held_claims.len() > MAX_CLAIM_VALUES / 16 {
            gap = Some("claims of those who act".to_owned());
            held_claims.truncate(MAX_CLAIM_VALUES / 16);
        }
    }
    let mut atoms = vec![
        Atom { yes: "for whom somebody acts".to_owned(), no: "for whom nobody acts".to_owned() },
        Atom { yes: "of whom nobody can know who".to_owned(), no: String::new() },
    ];
    atoms.extend(named.into_iter().map(|atom| Atom {
        no: format!("for whom nobody {} acts", atom.yes),
        yes: format!("for whom somebody {} acts", atom.yes),
    }));
    atoms.truncate(MAX_ATOMS);
    let signature = |actor: Option<&Actor>| {
        let mut identity = somebody("", "somebody", SOME_TIME.plus_seconds(60));
        if let Some(actor) = actor {
            identity = identity.actor(actor.clone());
        }
        let identity = identity.finish();
        let person = Person::of(&Credential::Verified(&identity), SOME_TIME);
        let denied = in_play.denied.iter().map(|(side, subject)| match actor {
            Some(actor) => value(actor_is(&actor.acting(), subject, sides[*side].snapshot.policy())),
            None => 0,
        });
        let vias = in_play.vias.iter().map(|(side, via)| value(person.acts_via(via, sides[*side].snapshot.policy())));
        std::iter::once(u8::from(actor.is_some())).chain(denied).chain(vias).collect::<Vec<_>>()
    };
    let mut raw = vec![Raw { setting: Setting::Actor(None), atoms: 0, rank: 0, signature: signature(None) }];
    let mut add = |actor: Actor, atoms: Atoms, rank: u32| {
        raw.push(Raw { signature: signature(Some(&actor)), setting: Setting::Actor(Some(actor)), atoms, rank });
    };
    let subjects = [(Some("some-program".to_owned()), 0), (None, 0)].into_iter();
    for (subject, made_of) in subjects.chain(candidates.into_iter().map(|(text, atoms)| (Some(text), atoms))) {
        for issuer in issuers.iter().chain(&["https://unknown.invalid"]) {
            for held in &held_claims {
                let actor = Actor {
                    issuer: (*issuer).into(),
                    subject: subject.as_deref().map(Into::into),
                    claims: held.clone(),
                    legible: true,
                };
                let rank = 2 + u32::from(made_of != 0) + u32::from(!held.is_empty());
                add(actor, 1 | made_of << 2, rank);
            }
        }
    }
    let illegible = Actor { issuer: "".into(), subject: None, claims: Map::new(), legible: false };
    add(illegible, 0b11, 4);
    Dimension::reduce(Axis::Actor, atoms, gap, raw)
}

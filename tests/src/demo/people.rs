//! The people of the demo and their tokens: an identity provider's part, played with keys that are made on the spot.

use luigi_tests::tokens::{Signer, jwks};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// The issuer of the policy in examples/demo.
const ISSUER: &str = "https://login.example.com";
const AUDIENCE: &str = "shop";
const HOUR: u64 = 3600;

/// Somebody who sends requests.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// As the table names them; the subject of the token.
    pub(crate) name: &'static str,
    /// What one should know about them.
    pub(crate) about: &'static str,
    /// The token, if they have any.
    pub(crate) token: Option<String>,
}

/// Everybody, and the public key that the shop trusts.
#[derive(Debug)]
pub(crate) struct People {
    people: Vec<Person>,
    /// A JSON Web Key Set.
    pub(crate) jwks: Vec<u8>,
}

impl People {
    /// Makes a key, and with it a token for everybody.
    pub(crate) fn new() -> Self {
        let signer = Signer::es256("demo");
        // The same name for another key: what a forger would do.
        let forger = Signer::es256("demo");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        let claims = |name: &str, groups: &[&str], further: Value| {
            let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": name, "groups": groups, "iat": now - 60, "exp": now + 8 * HOUR});
            for (key, value) in further.as_object().into_iter().flatten() {
                claims[key] = value.clone();
            }
            claims
        };
        let mfa = json!({"amr": ["pwd", "mfa"], "auth_time": now - 60});
        let password = json!({"amr": ["pwd"], "auth_time": now - 3 * HOUR});
        let over = json!({"iat": now - 9 * HOUR, "exp": now - HOUR});
        let person = |name, about, token: Option<String>| Person { name, about, token };
        let signed =
            |name, groups: &[&str], further: &Value| Some(signer.token(&claims(name, groups, further.clone())));
        let forged = Some(forger.token(&claims("eve", &["finance"], mfa.clone())));
        let people = vec![
            person("nobody", "has no token", None),
            person("anna", "works in support", signed("anna", &["support"], &password)),
            person(
                "ben",
                "works in finance; came in with a second factor a minute ago",
                signed("ben", &["finance"], &mfa),
            ),
            person(
                "bea",
                "works in finance; came in with a password hours ago",
                signed("bea", &["finance"], &password),
            ),
            person(
                "carl",
                "a contractor, whom the policy does not know yet",
                signed("carl", &["contractors"], &password),
            ),
            person("dave", "works in support; his laptop was stolen", signed("dave", &["support"], &password)),
            person("finn", "works in support; his token ended an hour ago", signed("finn", &["support"], &over)),
            person("eve", "signed a token for finance herself", forged),
        ];
        Self { people, jwks: jwks(&[&signer]) }
    }

    /// Everybody, in the order in which one meets them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Person> {
        self.people.iter()
    }

    /// One of them.
    ///
    /// # Panics
    /// If nobody has this name.
    pub(crate) fn get(&self, name: &str) -> &Person {
        self.people.iter().find(|person| person.name == name).unwrap_or_else(|| panic!("nobody is called {name}"))
    }
}

//! What a request carries to prove who we are. Secrets go into the request and nowhere else.

use marsad_shared::{
    connection::{Auth, KeyPlace},
    request::Body,
};
use reqwest::{
    Client, Request,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};

use super::{fault::FetchError, oauth::TokenKeeper};

/// Signs the requests of one connection.
#[derive(Debug)]
pub struct Signer {
    auth: Auth,
    token: TokenKeeper,
}

impl Signer {
    pub fn new(auth: Auth) -> Self {
        Self { auth, token: TokenKeeper::default() }
    }

    /// Puts into a body what travels there, before it is written.
    pub fn fill(&self, _body: &mut Body) {}

    /// Puts into a request whatever proves who we are.
    ///
    /// # Errors
    /// [`FetchError`] if a token had to be fetched and was not given.
    pub async fn sign(&self, client: &Client, request: &mut Request) -> Result<(), FetchError> {
        match &self.auth {
            Auth::None => {}
            Auth::ApiKey { place: KeyPlace::Header, name, key } => {
                if let Ok(name) = HeaderName::try_from(name) {
                    put(request.headers_mut(), name, key.expose_secret());
                }
            }
            Auth::ApiKey { place: KeyPlace::Query, name, key } => {
                request.url_mut().query_pairs_mut().append_pair(name, key.expose_secret());
            }
            Auth::Basic { user, password } => {
                use base64::Engine as _;
                let pair = format!("{user}:{}", password.expose_secret());
                let basic = base64::engine::general_purpose::STANDARD.encode(pair);
                put(request.headers_mut(), AUTHORIZATION, &format!("Basic {basic}"));
            }
            Auth::Bearer { token } => bearer(request, token),
            Auth::OAuth2 { .. } => bearer(request, &self.token.token(client, &self.auth).await?),
        }
        Ok(())
    }

    /// Hears that the partner refused a request (401). Whether signing it again can help: true once something that had
    /// been given to us has been dropped, so that it is asked for anew.
    pub async fn refused(&self, _answer: &HeaderMap) -> bool {
        let renews = matches!(self.auth, Auth::OAuth2 { .. });
        if renews {
            self.token.forget().await;
        }
        renews
    }
}

fn bearer(request: &mut Request, token: &SecretString) {
    put(request.headers_mut(), AUTHORIZATION, &format!("Bearer {}", token.expose_secret()));
}

/// Sets a header that no log may show. A secret that is no header value was refused by the configuration's check.
fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(mut value) = HeaderValue::try_from(text) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}

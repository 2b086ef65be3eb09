//! The clients that requests leave by: one for each way of connecting. No redirects, no proxy, no guess.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::Client;

/// One client for each connect time-out: connections, and what TLS needs, are shared.
#[derive(Debug, Default)]
pub struct Clients {
    by_connect: Mutex<HashMap<Duration, Client>>,
}

impl Clients {
    /// The client whose connections must stand within `connect`.
    ///
    /// # Errors
    /// If the system's certificates cannot be read.
    pub fn client(&self, connect: Duration) -> reqwest::Result<Client> {
        let mut clients = self.by_connect.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&connect) {
            return Ok(client.clone());
        }
        let client = Client::builder()
            .user_agent(concat!("marsad/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        clients.insert(connect, client.clone());
        Ok(client)
    }
}

//! What Marsad is about, apart from any network and any screen: the nouns, the rules that judge them, the checked
//! configuration, the store and the protocol that the daemon and the console speak.

pub mod config;
pub mod connection;
pub mod feed;
pub mod id;
pub mod partner;
pub mod protocol;
pub mod quarantine;
pub mod run;
pub mod word;

//! The whole path through the real processes: simulated partners, `marsadd`, its databases, `marsad`.
//!
//! One program for all of it, so that it is linked once. A promise of the design has the tests named after it; each tries
//! to break it.

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod bad_files;
#[cfg(test)]
mod bad_partners;
#[cfg(test)]
mod book;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod console_on_a_pty;
#[cfg(test)]
mod cursor;
#[cfg(test)]
mod days;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod discover;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod echoes;
#[cfg(test)]
mod feeds_at_once;
#[cfg(test)]
mod few_files;
#[cfg(test)]
mod files;
#[cfg(test)]
mod healthy_partners;
#[cfg(test)]
mod manners;
#[cfg(test)]
mod nginx;
#[cfg(test)]
mod packed_files;
#[cfg(test)]
mod partition;
#[cfg(test)]
mod promise_01_page_and_cursor;
#[cfg(test)]
mod promise_02_balance;
#[cfg(test)]
mod promise_03_exchanges;
#[cfg(test)]
mod promise_04_source_files;
#[cfg(test)]
mod promise_06_roles_and_audit;
#[cfg(test)]
mod promise_07_untrusted_text;
#[cfg(test)]
mod promise_08_no_input_ends_it;
#[cfg(test)]
mod promise_09_trouble_stays_its_own;
#[cfg(test)]
mod promise_11_secrets;
#[cfg(test)]
mod promise_12_restart;
#[cfg(test)]
mod quarantine;
#[cfg(test)]
mod references;
#[cfg(test)]
mod reveal;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod test_command;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod waits;
#[cfg(test)]
mod watching;
#[cfg(test)]
mod whole;
#[cfg(test)]
mod workbooks;
#[cfg(test)]
mod zip;

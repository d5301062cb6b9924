//! A wire between the program and PostgreSQL that is cut on command, at a place in what is said on it.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

use crate::{cluster::SOON, watch::within};

/// Where the wire is cut, once. What is named is a part of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The statement does not arrive.
    Before(&'static str),
    /// The statement is done, and its answer does not come back.
    After(&'static str),
    /// The commit of a transaction with this statement does not arrive: nothing is done.
    BeforeCommitOf(&'static str),
    /// The commit is done, and its answer does not come back.
    AfterCommitOf(&'static str),
}

/// Listens until it is dropped.
pub(crate) struct Cutter {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The cut that is to come.
    next: Mutex<Option<Cut>>,
    cuts: AtomicU32,
    /// True while new wires are taken, and lead nowhere.
    is_silent: AtomicBool,
    /// The wires that were laid: whether each has fallen silent, and the program's end of it.
    laid: Mutex<Vec<(Arc<AtomicBool>, TcpStream)>>,
    /// The program's ends of wires that lead nowhere, which stay open.
    nowhere: Mutex<Vec<TcpStream>>,
    is_over: AtomicBool,
}

impl Cutter {
    /// Before the PostgreSQL that listens at this port.
    pub(crate) fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cutter = Self { port: listener.local_addr().unwrap().port(), shared: Arc::default() };
        let shared = cutter.shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(client) = client else { continue };
                if shared.is_silent.load(Ordering::SeqCst) {
                    shared.nowhere.lock().unwrap().push(client);
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                Wire::lay(client, server, shared.clone());
            }
        });
        cutter
    }

    /// The address of a database behind it. What is said on the wire is read, so it is not encrypted.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://passpool@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Cuts the next wire on which this is said.
    pub(crate) fn cut(&self, cut: Cut) {
        self.shared.cuts.store(0, Ordering::Relaxed);
        *self.shared.next.lock().unwrap() = Some(cut);
    }

    /// From now on nothing is answered, on no wire, and none is cut: whatever is said is taken, and so are new wires.
    pub(crate) fn fall_silent(&self) {
        self.shared.is_silent.store(true, Ordering::SeqCst);
        for (is_silent, client) in self.shared.laid.lock().unwrap().drain(..) {
            is_silent.store(true, Ordering::SeqCst);
            self.shared.nowhere.lock().unwrap().push(client);
        }
    }

    /// New wires are answered again. The others stay silent for ever.
    pub(crate) fn answer_again(&self) {
        self.shared.is_silent.store(false, Ordering::SeqCst);
    }

    /// How often it has cut since it was last told to.
    pub(crate) fn cuts(&self) -> u32 {
        self.shared.cuts.load(Ordering::Relaxed)
    }

    pub(crate) fn wait_for_cut(&self) {
        within(SOON, "the cut", || (self.cuts() > 0).then_some(()));
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes up the one who listens.
        _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// One connection, both ways.
struct Wire {
    client: TcpStream,
    server: TcpStream,
    shared: Arc<Shared>,
    /// True from the moment on from which no answer comes back.
    is_mute: Arc<AtomicBool>,
    /// True from the moment on from which the program hears nothing any more, not even that it is over.
    is_silent: Arc<AtomicBool>,
    /// True if the statement that the next cut names was said in this transaction.
    is_it: bool,
}

impl Wire {
    fn lay(client: TcpStream, server: TcpStream, shared: Arc<Shared>) {
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let (is_mute, is_silent) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        shared.laid.lock().unwrap().push((is_silent.clone(), client.try_clone().unwrap()));
        let wire = || Self {
            client: client.try_clone().unwrap(),
            server: server.try_clone().unwrap(),
            shared: shared.clone(),
            is_mute: is_mute.clone(),
            is_silent: is_silent.clone(),
            is_it: false,
        };
        let (mut there, mut back) = (wire(), wire());
        thread::spawn(move || {
            // Whether somebody hung up or the wire was cut, it is over.
            _ = there.carry();
            there.end();
        });
        thread::spawn(move || {
            _ = back.carry_back();
            back.end();
        });
    }

    fn end(&self) {
        _ = self.server.shutdown(Shutdown::Both);
        if !self.is_silent.load(Ordering::SeqCst) {
            _ = self.client.shutdown(Shutdown::Both);
        }
    }

    /// Carries what the program says, message by message.
    fn carry(&mut self) -> io::Result<()> {
        // The first message has no type.
        let first = read_message(&mut self.client)?;
        self.server.write_all(&first)?;
        loop {
            let mut kind = [0];
            self.client.read_exact(&mut kind)?;
            let message = read_message(&mut self.client)?;
            match self.cut_here(&statement(kind[0], &message)) {
                None => {}
                Some(Cut::Before(_) | Cut::BeforeCommitOf(_)) => {
                    self.shared.cuts.fetch_add(1, Ordering::SeqCst);
                    return Ok(());
                }
                Some(Cut::After(_) | Cut::AfterCommitOf(_)) => self.is_mute.store(true, Ordering::SeqCst),
            }
            self.server.write_all(&[&kind, &*message].concat())?;
        }
    }

    /// Carries what the database answers, until it is to be kept from the program.
    fn carry_back(&mut self) -> io::Result<()> {
        loop {
            let mut kind = [0];
            self.server.read_exact(&mut kind)?;
            let message = read_message(&mut self.server)?;
            if self.is_silent.load(Ordering::SeqCst) {
                continue;
            }
            if !self.is_mute.load(Ordering::SeqCst) {
                self.client.write_all(&[&kind, &*message].concat())?;
            } else if kind[0] == b'Z' && message.ends_with(b"I") {
                // No transaction is left: it is done.
                self.shared.cuts.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
        }
    }

    /// The cut that is to be made at this statement.
    fn cut_here(&mut self, statement: &str) -> Option<Cut> {
        let mut next = self.shared.next.lock().unwrap();
        if statement.starts_with("BEGIN") {
            self.is_it = false;
        }
        let is_here = match (*next)? {
            Cut::Before(part) | Cut::After(part) => statement.contains(part),
            Cut::BeforeCommitOf(part) | Cut::AfterCommitOf(part) => {
                self.is_it |= statement.contains(part);
                self.is_it && statement == "COMMIT"
            }
        };
        next.take_if(|_| is_here)
    }
}

/// A message from its length on.
fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    stream.read_exact(&mut message)?;
    let length = u32::from_be_bytes(message[..].try_into().unwrap());
    message.resize(length as usize, 0);
    stream.read_exact(&mut message[4..])?;
    Ok(message)
}

/// What SQL there is in a message of the program's.
fn statement(kind: u8, message: &[u8]) -> String {
    let mut texts = message[4..].split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let text = match kind {
        b'Q' => texts.next(),
        // Behind a name, which is empty.
        b'P' => texts.nth(1),
        _ => None,
    };
    text.unwrap_or_default().into_owned()
}

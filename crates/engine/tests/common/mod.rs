//! An engine process under test, spoken to as its supervisor and its sessions do.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]
#![allow(dead_code, reason = "each test binary uses its own part")]

use protocol::{
    Control, Device, Embed, EngineSettings, EngineStatus, Fault, FromEngine, ImageLimits, Input,
    MAX_FRAME, ModelStatistics, Options, READY, Reply, Request, Task, ToEngine, Urgency, Version,
    encode, read,
};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);
const SOCKET: &str = "itembank_embed/engine/socket";

/// Whether there is what it takes to run models; told where it is not.
pub fn can_run_models() -> bool {
    let can = models().is_some();
    if !can {
        let _ = writeln!(std::io::stderr(), "skipped: no ITEMBANK_ORT, or no tiny models");
    }
    can
}

/// The library of ONNX Runtime and the tiny models, where they are here.
fn models() -> Option<(PathBuf, PathBuf)> {
    let runtime = std::env::var_os("ITEMBANK_ORT").map(PathBuf::from).filter(|path| path.exists());
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/models");
    match (runtime, models.join("tiny-bert").exists()) {
        (Some(runtime), true) => Some((runtime, models.canonicalize().unwrap())),
        _ => None,
    }
}

pub fn options() -> Options {
    let nothing = || ("libonnxruntime.so".into(), "/nowhere".into());
    let (runtime, models) = models().unwrap_or_else(nothing);
    Options {
        model_path: vec![models],
        runtime,
        device: Device::Cpu,
        intra_op_threads: 1,
        gpu_memory_limit: None,
        max_input_bytes: 1 << 20,
        image_limits: ImageLimits { max_bytes: 1 << 24, max_pixels: 1 << 24 },
        max_batch_tokens: None,
        checksums: None,
    }
}

pub fn settings() -> EngineSettings {
    EngineSettings {
        options: options(),
        preload: Vec::new(),
        memory_limit: None,
        max_queue: 100,
        prepare_threads: 2,
        batching: true,
        fixed_cost_tokens: None,
    }
}

/// A process, its data directory and its lines.
pub struct Engine {
    pub directory: tempfile::TempDir,
    pub process: Child,
    pub control: Option<ChildStdin>,
    lines: Mutex<Receiver<String>>,
}

impl Engine {
    /// One that is ready.
    pub fn start() -> Self {
        Self::start_with(settings())
    }

    pub fn start_with(settings: EngineSettings) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), settings)
    }

    pub fn start_in(directory: tempfile::TempDir, settings: EngineSettings) -> Self {
        let mut engine = Self::spawn(directory);
        engine.say(&Control::Settings(Box::new(settings)));
        engine.line(READY);
        engine
    }

    fn spawn(directory: tempfile::TempDir) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_itembank-engine"))
            .args(["--socket", SOCKET, "--restarts", "0"])
            .current_dir(directory.path())
            .env("ORT_DISABLE_TELEMETRY", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let control = process.stdin.take();
        let out = BufReader::new(process.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = writeln!(std::io::stderr(), "    engine: {line}");
                let _ = send.send(line);
            }
        });
        Self { directory, process, control, lines: Mutex::new(lines) }
    }

    pub fn say(&mut self, control: &Control) {
        self.say_bytes(&encode(control).unwrap());
    }

    pub fn say_bytes(&mut self, bytes: &[u8]) {
        self.control.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Waits for a line that contains `part`.
    pub fn line(&self, part: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.lock().unwrap().recv_timeout(left) {
                Ok(line) if line.contains(part) => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => unreachable!("no line with {part:?} in time"),
                Err(RecvTimeoutError::Disconnected) => unreachable!("no line with {part:?}"),
            }
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join(SOCKET)
    }

    /// A greeted session with its settings said.
    pub fn session(&self) -> Session {
        let mut session = self.stranger();
        session.say(&ToEngine::Hello(Version::current()));
        let FromEngine::Welcome { pid } = session.hear() else { unreachable!("a welcome") };
        assert_eq!(pid, self.process.id());
        session.say(&ToEngine::Options(options()));
        session
    }

    /// A connection that has said nothing yet.
    pub fn stranger(&self) -> Session {
        Session { stream: UnixStream::connect(self.socket()).unwrap(), last: 0 }
    }

    pub fn status(&self) -> EngineStatus {
        match self.session().ask(Request::Status).unwrap() {
            Reply::Status(status) => *status,
            other => unreachable!("{other:?}"),
        }
    }

    /// Statistics of one model, of nothing where nothing was counted.
    pub fn statistics(&self, model: &str) -> ModelStatistics {
        let mut models = self.status().models.into_iter();
        models.find(|row| row.name == model).unwrap_or_default()
    }

    /// Waits for the end of the process.
    pub fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        unreachable!("the process does not end")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A session's end of a connection.
pub struct Session {
    pub stream: UnixStream,
    last: u64,
}

impl Session {
    pub fn say(&mut self, message: &ToEngine) {
        self.stream.write_all(&encode(message).unwrap()).unwrap();
    }

    /// What the engine says next.
    pub fn hear(&mut self) -> FromEngine {
        self.hear_or_end().unwrap()
    }

    /// `None` where the engine closes the connection.
    pub fn hear_or_end(&mut self) -> Option<FromEngine> {
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        match read(&mut self.stream, MAX_FRAME) {
            Ok(message) => message,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
                None
            }
        }
    }

    /// Asks, and does not wait for the answer.
    pub fn begin(&mut self, request: Request) -> u64 {
        self.last += 1;
        let (id, urgency) = (self.last, Urgency::Interactive);
        self.say(&ToEngine::Ask { id, urgency, request });
        id
    }

    /// The answer to a question that was begun.
    pub fn answer(&mut self, wanted: u64) -> Result<Reply, Fault> {
        loop {
            match self.hear() {
                FromEngine::Answer { id, result } if id == wanted => return result,
                FromEngine::Answer { .. } => {}
                other => unreachable!("{other:?}"),
            }
        }
    }

    pub fn ask(&mut self, request: Request) -> Result<Reply, Fault> {
        let id = self.begin(request);
        self.answer(id)
    }

    /// Vectors of texts.
    pub fn embed(&mut self, model: &str, texts: &[&str]) -> Result<Vec<Option<Vec<f32>>>, Fault> {
        match self.ask(embed(model, texts))? {
            Reply::Embeddings(found) => Ok(found.vectors),
            other => unreachable!("{other:?}"),
        }
    }
}

pub fn embed(model: &str, texts: &[&str]) -> Request {
    let input = |text: &&str| Input { text: Some((*text).to_owned()), images: Vec::new() };
    Request::Embed(Embed {
        model: model.to_owned(),
        task: Task::Document,
        instruction: None,
        dimensions: None,
        inputs: texts.iter().map(input).collect(),
    })
}

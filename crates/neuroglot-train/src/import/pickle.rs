//! A reader of the pickles that `torch.save` writes for dictionaries of tensors, and of nothing else.
//!
//! A pickle is a program for a small stack machine that can call any function by its name. This machine knows the four
//! names that tensors need ([`Name`]); whatever else is named ends the reading, so that no file can make it do anything
//! but build a tree. Opcodes are those of `pickletools` in Python's standard library, protocols 2 to 5.

use std::collections::HashMap;
use thiserror::Error;

/// Index of a node.
pub(super) type Id = usize;

/// A value. Nodes refer to each other by index: however deep a tree is, dropping it needs no stack.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Nothing,
    Bool(bool),
    Whole(i64),
    Float(f64),
    Text(String),
    /// A tuple or a list.
    Sequence(Vec<Id>),
    /// Keys and values in the order they came.
    Dictionary(Vec<(Id, Id)>),
    Name(Name),
    Storage(Storage),
    Tensor(Tensor),
}

/// What may be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// `collections.OrderedDict`
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`
    RebuildParameter,
    /// `torch.FloatStorage` and its like.
    StorageOf(Element),
}

/// Type of a number in a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
}

impl Element {
    /// Bytes of one number.
    pub(super) fn size(self) -> usize {
        match self {
            Element::F64 | Element::I64 => 8,
            Element::F32 | Element::I32 => 4,
            Element::F16 | Element::BF16 | Element::I16 => 2,
            Element::I8 | Element::U8 => 1,
        }
    }
}

/// Numbers in an entry of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    /// Name of the entry in the archive's folder `data`.
    pub key: String,
    pub element: Element,
    /// Numbers that it claims to hold.
    pub len: usize,
}

/// A view of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    pub storage: Storage,
    pub offset: usize,
    pub shape: Vec<usize>,
    /// Numbers from one index to the next, per dimension.
    pub strides: Vec<usize>,
}

/// Why a pickle cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum PickleError {
    #[error("its pickle ends at byte {at}, in the middle of something")]
    Truncated { at: usize },
    #[error("its pickle asks for operation {code:#04x} at byte {at}, which no state dict needs")]
    Operation { code: u8, at: usize },
    #[error("it holds an object of type `{name}`, and only tensors are read from a pickle")]
    Foreign { name: String },
    #[error("its pickle is damaged at byte {at}: {what}")]
    Damaged { at: usize, what: &'static str },
}

/// What a pickle holds.
#[derive(Debug)]
pub(super) struct Pickle {
    nodes: Vec<Node>,
    top: Id,
}

impl Pickle {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PickleError> {
        let machine = Machine {
            bytes,
            at: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        machine.run()
    }

    pub(super) fn top(&self) -> &Node {
        &self.nodes[self.top]
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// The entries of a dictionary whose keys are text.
    pub(super) fn entries<'a>(&'a self, node: &'a Node) -> Option<Vec<(&'a str, &'a Node)>> {
        let Node::Dictionary(pairs) = node else { return None };
        let entry = |(key, value): &(Id, Id)| match self.node(*key) {
            Node::Text(key) => Some((key.as_str(), self.node(*value))),
            _ => None,
        };
        Some(pairs.iter().filter_map(entry).collect())
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

type Done = Result<(), PickleError>;

impl Machine<'_> {
    fn run(mut self) -> Result<Pickle, PickleError> {
        loop {
            let at = self.at;
            let code = self.byte()?;
            match code {
                b'.' => {
                    let top = self.pop()?;
                    return Ok(Pickle { nodes: self.nodes, top });
                }
                // PROTO, FRAME: what they say is not needed.
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.push(Node::Nothing),
                0x88 => self.push(Node::Bool(true)),
                0x89 => self.push(Node::Bool(false)),
                b'J' => {
                    let value = i32::from_le_bytes(self.array()?);
                    self.push(Node::Whole(value.into()));
                }
                b'K' => {
                    let value = self.byte()?;
                    self.push(Node::Whole(value.into()));
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.array()?);
                    self.push(Node::Whole(value.into()));
                }
                0x8a => self.long()?,
                b'G' => {
                    let value = f64::from_be_bytes(self.array()?);
                    self.push(Node::Float(value));
                }
                b'X' => {
                    let len = u32::from_le_bytes(self.array()?);
                    self.text(len.into())?;
                }
                0x8c => {
                    let len = self.byte()?;
                    self.text(len.into())?;
                }
                0x8d => {
                    let len = u64::from_le_bytes(self.array()?);
                    self.text(len)?;
                }
                b')' | b']' => self.push(Node::Sequence(Vec::new())),
                b't' => {
                    let items = self.above_mark()?;
                    self.push(Node::Sequence(items));
                }
                0x85..=0x87 => {
                    let count = usize::from(code - 0x84);
                    let first =
                        self.stack.len().checked_sub(count).ok_or(self.damaged("the stack is empty"))?;
                    let items = self.stack.split_off(first);
                    self.push(Node::Sequence(items));
                }
                b'}' => self.push(Node::Dictionary(Vec::new())),
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.above_mark()?;
                    self.append(items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set_items(&[key, value])?;
                }
                b'u' => {
                    let items = self.above_mark()?;
                    self.set_items(&items)?;
                }
                b'q' => {
                    let place = self.byte()?;
                    self.remember(place.into())?;
                }
                b'r' => {
                    let place = u32::from_le_bytes(self.array()?);
                    self.remember(place as usize)?;
                }
                0x94 => self.remember(self.memo.len())?,
                b'h' => {
                    let place = self.byte()?;
                    self.recall(place.into())?;
                }
                b'j' => {
                    let place = u32::from_le_bytes(self.array()?);
                    self.recall(place as usize)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.name(&module, &name)?;
                }
                0x93 => {
                    let (name, module) = (self.pop_text()?, self.pop_text()?);
                    self.name(&module, &name)?;
                }
                b'Q' => self.storage()?,
                b'R' => self.call()?,
                b'b' => self.build()?,
                _ => return Err(PickleError::Operation { code, at }),
            }
        }
    }

    fn damaged(&self, what: &'static str) -> PickleError {
        PickleError::Damaged { at: self.at, what }
    }

    fn take(&mut self, len: u64) -> Result<&[u8], PickleError> {
        let left = &self.bytes[self.at..];
        match usize::try_from(len).ok().and_then(|len| left.get(..len)) {
            Some(taken) => {
                self.at += taken.len();
                Ok(taken)
            }
            None => Err(PickleError::Truncated { at: self.bytes.len() }),
        }
    }

    fn byte(&mut self) -> Result<u8, PickleError> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let taken = self.take(N as u64)?;
        let mut array = [0; N];
        array.copy_from_slice(taken);
        Ok(array)
    }

    /// Text up to the end of a line.
    fn line(&mut self) -> Result<String, PickleError> {
        let end = self.bytes[self.at..].iter().position(|byte| *byte == b'\n');
        let end = end.ok_or(PickleError::Truncated { at: self.bytes.len() })?;
        let line = self.take(end as u64 + 1)?;
        Ok(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    fn text(&mut self, len: u64) -> Done {
        let text = String::from_utf8_lossy(self.take(len)?).into_owned();
        self.push(Node::Text(text));
        Ok(())
    }

    /// A whole number of some bytes, little-endian in two's complement.
    fn long(&mut self) -> Done {
        let len = self.byte()?;
        let bytes = self.take(len.into())?;
        let negative = bytes.last().is_some_and(|last| *last >= 0x80);
        let mut filled = [if negative { 0xff } else { 0 }; 8];
        let Some(place) = filled.get_mut(..bytes.len()) else {
            return Err(self.damaged("a whole number has more than 64 bits"));
        };
        place.copy_from_slice(bytes);
        self.push(Node::Whole(i64::from_le_bytes(filled)));
        Ok(())
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        self.stack.pop().ok_or(self.damaged("the stack is empty"))
    }

    fn pop_text(&mut self) -> Result<String, PickleError> {
        let id = self.pop()?;
        match &self.nodes[id] {
            Node::Text(text) => Ok(text.clone()),
            _ => Err(self.damaged("a name is not text")),
        }
    }

    fn above_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len());
        let mark = mark.ok_or(self.damaged("there is no mark"))?;
        Ok(self.stack.split_off(mark))
    }

    fn top_node(&mut self) -> Result<&mut Node, PickleError> {
        match self.stack.last() {
            Some(id) => Ok(&mut self.nodes[*id]),
            None => Err(self.damaged("the stack is empty")),
        }
    }

    fn append(&mut self, items: Vec<Id>) -> Done {
        match self.top_node()? {
            Node::Sequence(list) => list.extend(items),
            _ => return Err(self.damaged("something is appended to what is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Done {
        match self.top_node()? {
            Node::Dictionary(pairs) => pairs.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1]))),
            _ => return Err(self.damaged("an entry is set in what is no dictionary")),
        }
        Ok(())
    }

    fn remember(&mut self, place: usize) -> Done {
        let id = *self.stack.last().ok_or(self.damaged("the stack is empty"))?;
        self.memo.insert(place, id);
        Ok(())
    }

    fn recall(&mut self, place: usize) -> Done {
        let id = *self.memo.get(&place).ok_or(self.damaged("something is recalled that was never kept"))?;
        self.stack.push(id);
        Ok(())
    }

    fn name(&mut self, module: &str, name: &str) -> Done {
        let element = match (module, name) {
            ("collections", "OrderedDict") => return self.named(Name::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => return self.named(Name::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => return self.named(Name::RebuildParameter),
            ("torch", "DoubleStorage") => Element::F64,
            ("torch", "FloatStorage") => Element::F32,
            ("torch", "HalfStorage") => Element::F16,
            ("torch", "BFloat16Storage") => Element::BF16,
            ("torch", "LongStorage") => Element::I64,
            ("torch", "IntStorage") => Element::I32,
            ("torch", "ShortStorage") => Element::I16,
            ("torch", "CharStorage") => Element::I8,
            ("torch", "ByteStorage" | "BoolStorage") => Element::U8,
            _ => return Err(PickleError::Foreign { name: format!("{module}.{name}") }),
        };
        self.named(Name::StorageOf(element))
    }

    fn named(&mut self, name: Name) -> Done {
        self.push(Node::Name(name));
        Ok(())
    }

    /// `('storage', type, key, location, length)` becomes a storage.
    fn storage(&mut self) -> Done {
        let id = self.pop()?;
        let Node::Sequence(items) = &self.nodes[id] else {
            return Err(self.damaged("a storage is no tuple"));
        };
        let items: Vec<&Node> = items.iter().map(|id| &self.nodes[*id]).collect();
        let [Node::Text(kind), Node::Name(Name::StorageOf(element)), Node::Text(key), _, Node::Whole(len)] =
            items[..]
        else {
            return Err(self.damaged("a storage is not described as one"));
        };
        let Some(len) = usize::try_from(*len).ok().filter(|_| kind == "storage") else {
            return Err(self.damaged("a storage is not described as one"));
        };
        let storage = Storage { key: key.clone(), element: *element, len };
        self.push(Node::Storage(storage));
        Ok(())
    }

    /// Calls what is named with a tuple of arguments.
    fn call(&mut self) -> Done {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let (Node::Sequence(arguments), Node::Name(function)) =
            (&self.nodes[arguments], &self.nodes[function])
        else {
            return Err(self.damaged("what is called has no name"));
        };
        let node = match function {
            Name::OrderedDict if arguments.is_empty() => Some(Node::Dictionary(Vec::new())),
            Name::RebuildTensor => self.tensor(arguments).map(Node::Tensor),
            Name::RebuildParameter => match arguments.first().map(|id| &self.nodes[*id]) {
                Some(Node::Tensor(tensor)) => Some(Node::Tensor(tensor.clone())),
                _ => None,
            },
            Name::OrderedDict | Name::StorageOf(_) => None,
        };
        self.push(node.ok_or(self.damaged("a call has the wrong arguments"))?);
        Ok(())
    }

    /// `(storage, offset, shape, strides, …)`
    fn tensor(&self, arguments: &[Id]) -> Option<Tensor> {
        let [storage, offset, shape, strides, ..] = arguments else { return None };
        let whole = |id: &Id| match &self.nodes[*id] {
            Node::Whole(value) => usize::try_from(*value).ok(),
            _ => None,
        };
        let numbers = |id: &Id| match &self.nodes[*id] {
            Node::Sequence(items) => items.iter().map(whole).collect::<Option<Vec<usize>>>(),
            _ => None,
        };
        let Node::Storage(storage) = &self.nodes[*storage] else { return None };
        let (shape, strides) = (numbers(shape)?, numbers(strides)?);
        let storage = storage.clone();
        (shape.len() == strides.len()).then_some(Tensor { storage, offset: whole(offset)?, shape, strides })
    }

    /// Attributes of a state dict (versions of its modules) are not needed.
    fn build(&mut self) -> Done {
        self.pop()?;
        match self.top_node()? {
            Node::Dictionary(_) => Ok(()),
            _ => Err(self.damaged("attributes are set of what is no dictionary")),
        }
    }
}

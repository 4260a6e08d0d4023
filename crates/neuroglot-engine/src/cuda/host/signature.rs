//! What kernels take, read from their sources.

/// A kernel's name and the types of its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub name: String,
    pub types: Vec<String>,
}

impl Signature {
    /// All kernels of a source.
    pub fn all_of(source: &str) -> Vec<Self> {
        source.split("extern \"C\" __global__ void ").skip(1).map(Self::first_of).collect()
    }

    fn first_of(source: &str) -> Self {
        let source = source.trim_start().trim_start_matches("__launch_bounds__(THREADS)").trim_start();
        let (name, rest) = source.split_once('(').expect("a kernel has arguments");
        let (arguments, _) = rest.split_once(')').expect("its arguments end");
        let types = arguments.split(',').map(|argument| {
            let name_start = argument.rfind([' ', '*']).expect("an argument has a type and a name") + 1;
            argument[..name_start].split_whitespace().collect::<Vec<_>>().join(" ")
        });
        Self { name: name.trim().to_string(), types: types.collect() }
    }

    /// Bytes of each argument.
    pub fn sizes(&self) -> Vec<usize> {
        self.types
            .iter()
            .map(|kind| match kind.as_str() {
                pointer if pointer.ends_with('*') => 8,
                "unsigned" | "float" => 4,
                "unsigned long long" => 8,
                "Rule" | "Numbers" => 16,
                "Dropout" | "Factor" | "Part" => 24,
                "Trials" => 40,
                other => panic!("{}: no size is known for {other}", self.name),
            })
            .collect()
    }
}

#[test]
fn kernels_are_found_with_the_types_of_their_arguments() {
    let source = "extern \"C\" __global__ void __launch_bounds__(THREADS)\nf(const float *x, unsigned long long n,\n  \
                  Rule rule) {}\nextern \"C\" __global__ void g(float y) {}";
    let all = Signature::all_of(source);
    assert_eq!(all[0].name, "f");
    assert_eq!(all[0].types, ["const float *", "unsigned long long", "Rule"]);
    assert_eq!(all[0].sizes(), [8, 8, 16]);
    assert_eq!((all[1].name.as_str(), all[1].sizes()), ("g", vec![4]));
}

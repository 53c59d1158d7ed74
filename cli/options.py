"""The options, each defined once; they are named as in the library."""

from __future__ import annotations

from pathlib import Path

import click

from tfdpzoo.cli import suggestions
from tfdpzoo.conversion.formats import FORMATS
from tfdpzoo.distribution import STRATEGIES
from tfdpzoo.dpsgd.execution import ENGINES
from tfdpzoo.privacy.declarations import DECLARATIONS
from tfdpzoo.registry.location import SAVED_MODELS

_PATH = click.Path(path_type=Path)
_LARGEST_SEED = 2**32 - 1

model = click.argument("model", shell_complete=suggestions.models)
model_or_none = click.argument("model", required=False, shell_complete=suggestions.models)
saved_model = click.argument("path", type=_PATH, shell_complete=suggestions.registered_models)
target = click.argument("target", shell_complete=suggestions.registered_models)
target_or_none = click.argument(
    "target", required=False, shell_complete=suggestions.registered_models
)

model_or_run = click.argument("source", metavar="RUN|NAME")
references = click.argument(
    "references",
    nargs=-1,
    metavar="[REF]...",
    shell_complete=suggestions.registered_models,
)
reference = click.argument("reference", shell_complete=suggestions.registered_models)
models = click.option(
    "--models",
    type=_PATH,
    default=SAVED_MODELS,
    show_default=True,
    metavar="FOLDER",
    help="The folder of registered models, as NAME/VERSION.",
)
alias = click.option(
    "--alias",
    metavar="ALIAS",
    help="Let the new version go by this name from now on, such as champion.",
)
yes = click.option("--yes", is_flag=True, help="Do not ask before.")

recipe = click.option(
    "--recipe",
    "recipe_name",
    metavar="NAME|FILE",
    shell_complete=suggestions.recipes,
    help="A recipe of the model, or the path of a .toml file.  [default: the one named like "
    "--dataset, or else the paper's]",
)
dataset = click.option(
    "--dataset",
    metavar="NAME|PATH",
    shell_complete=suggestions.datasets,
    help="digits, cifar10, mnist, fashion_mnist, imagenette; a folder "
    "{train,test}/CLASS/*.jpg|png; or an .npz file.",
)
data_dir = click.option(
    "--data-dir",
    type=_PATH,
    metavar="FOLDER",
    help="Where TensorFlow Datasets keeps its prepared data.",
)
memory_limit = click.option(
    "--memory-limit",
    metavar="SIZE",
    help="How much memory decoded images may take, such as 256MiB or 2GB; above that each is read "
    "from its file whenever it is used, which changes no result.  [default: half of the free "
    "memory]",
)
image_size = click.option(
    "--image-size",
    type=int,
    metavar="PIXELS",
    help="Side to which images are resized and cropped.",
)
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Write JSON to stdout, everything else to stderr."
)

strict = click.option(
    "--strict",
    is_flag=True,
    help="Also fail, with the reasons, on what weakens the claim of an intact model: an invalid "
    "guarantee, tuning that is neither accounted nor declared, updates other than planned, unknown "
    "code, weights that were not seen.",
)
public_key = click.option(
    "--key",
    "key",
    type=_PATH,
    metavar="PUBLIC.pem",
    help="Demand the signature that belongs to this public key (Ed25519).",
)
private_key = click.option(
    "--key",
    "key",
    type=_PATH,
    metavar="PRIVATE.pem",
    help="The private key to sign with (Ed25519).",
)
new_key = click.option(
    "--new-key",
    type=_PATH,
    metavar="FILE",
    help="Make a key: FILE, the private key, which only you may read, and FILE.pub, the "
    "public one. Nothing is overwritten.",
)

epsilon = click.option("--epsilon", type=float, metavar="E", help="Target epsilon, above 0.")
delta = click.option(
    "--delta", type=float, metavar="D", help="Target delta, above 0 and below 1 / examples."
)
noise_multiplier = click.option(
    "--noise-multiplier", type=float, metavar="S", help="Sigma, instead of a target epsilon."
)
examples = click.option("--examples", type=int, metavar="N", help="Number of training examples.")
batch_size = click.option(
    "--batch-size", type=int, metavar="B", help="Expected size of a Poisson sample."
)
epochs = click.option("--epochs", type=float, metavar="E", help="Updates times B / N.")
updates = click.option("--updates", type=int, metavar="T", help="Number of updates.")
clip_norm = click.option(
    "--clip-norm", type=float, metavar="C", help="Largest norm of one example's gradient."
)

assignments = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replace a value of the recipe, for example privacy.epochs=10; may be repeated.",
)
engine = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default=ENGINES[0],
    show_default=True,
    help="How per-example gradients are computed; tf-privacy is TF-Privacy's own path and slow.",
)
strategy = click.option(
    "--strategy",
    type=click.Choice(STRATEGIES),
    help="Where to train: on one device, with a replica on every GPU (mirrored), or with workers "
    "on several machines that share the --runs folder (multiworker; TF_CONFIG says which).  "
    "[default: none, or what the run to resume had]",
)
replicas = click.option(
    "--replicas",
    type=click.IntRange(1),
    metavar="R",
    help="With --strategy mirrored: how many replicas; without a GPU they share the processor, for "
    "tests.  [default: one for each GPU]",
)
seed = click.option(
    "--seed",
    type=click.IntRange(0, _LARGEST_SEED),
    help="Seed of the initial weights alone, which is public. Sampling and noise are always drawn "
    "from new secret entropy.",
)
insecure_seed = click.option(
    "--insecure-seed",
    type=int,
    help="For tests: draw sampling and noise from this seed. Whoever knows it can take the noise "
    "away, so the guarantee is marked invalid.",
)
tuning = click.option(
    "--tuning",
    type=click.Choice(DECLARATIONS),
    help="What you declare of tuning, for the record: nothing was tuned on these images (none), or "
    "all tuning was done on public data (public).  [default: nothing; the record says that tuning "
    "is not accounted]",
)
out = click.option(
    "--out",
    type=_PATH,
    metavar="FOLDER",
    help="Where the model goes: saved_models/NAME/VERSION with VERSION a whole number, or "
    "saved_models/NAME for the next free version. Nothing is ever overwritten.  "
    "[default: saved_models/MODEL-DATASET]",
)
runs = click.option(
    "--runs",
    type=_PATH,
    default=Path("runs"),
    show_default=True,
    metavar="FOLDER",
    help="Where the run's ledger, log and plots go, in a new folder.",
)
no_dp = click.option(
    "--no-dp",
    is_flag=True,
    help="Train the same recipe WITHOUT privacy, for comparison; the model stays in the run's "
    "folder.",
)
record = click.option(
    "--record",
    type=_PATH,
    metavar="FILE",
    help="Append the result to this table (.csv), for example zoo/results.csv.",
)

resume = click.option(
    "--resume",
    type=_PATH,
    metavar="RUN",
    help="Go on with a run that was stopped, given its folder, instead of beginning one. It needs "
    "no MODEL and takes few other options.",
)
more_epochs = click.option(
    "--epochs",
    "more_epochs",
    metavar="+N",
    help="With --resume: train N epochs more than the plan had, with the same noise, if epsilon "
    "stays within the target; --epsilon raises that.",
)
checkpoint_every = click.option(
    "--checkpoint-every",
    metavar="INTERVAL",
    default="5m",
    show_default=True,
    help="Write a checkpoint after so many updates, such as 100, or after a time, such as 30s.",
)
keep_checkpoints = click.option(
    "--keep-checkpoints",
    type=click.IntRange(1),
    metavar="K",
    default=2,
    show_default=True,
    help="How many checkpoints are kept.",
)
patience = click.option(
    "--nonfinite-patience",
    "patience",
    type=click.IntRange(1),
    metavar="N",
    default=10,
    show_default=True,
    help="Stop after so many updates in a row that leave the model without a finite loss.",
)

export_format = click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    required=True,
    help="saved_model is a copy; onnx and tflite need the extra tfdpzoo[convert].",
)
export_out = click.option(
    "--out",
    "path",
    type=_PATH,
    metavar="PATH",
    help="The file to write, or the version's folder for saved_model. Nothing is ever "
    "overwritten.  [default: exported/NAME-VERSION.ENDING]",
)
images_per_call = click.option(
    "--batch-size",
    type=click.IntRange(1),
    metavar="B",
    help="With --format tflite: how many images a call takes, which is fixed.  [default: 1]",
)
card_format = click.option(
    "--format",
    "card_format",
    type=click.Choice(("markdown", "html")),
    default="markdown",
    show_default=True,
    help="A folder with README.md and pictures, as model hubs take it, or one HTML file.",
)
licence = click.option(
    "--license",
    "licence",
    metavar="ID",
    help="The model's licence in the front matter, such as apache-2.0.  [default: unknown]",
)
card_out = click.option(
    "--out",
    type=_PATH,
    metavar="PATH",
    help="The folder or file to write; nothing is ever overwritten.  [default: "
    "NAME-VERSION-card or NAME-VERSION-card.html]",
)
site = click.option(
    "--out",
    type=_PATH,
    default=Path("gallery"),
    show_default=True,
    metavar="FOLDER",
    help="The site's folder. An earlier gallery there is replaced, nothing else ever is.",
)
url = click.option(
    "--url", metavar="URL", help="A server's REST address, for example http://localhost:8501."
)
grpc_address = click.option(
    "--grpc",
    "grpc_address",
    metavar="HOST:PORT",
    help="A server's gRPC address instead, for example localhost:8500; needs `pip install "
    "'tfdpzoo[serving]'`.",
)
served_model = click.option("--model", metavar="NAME", help="The model's name at the server.")
served_version = click.option(
    "--version",
    type=click.IntRange(0),
    metavar="N",
    help="Its version.  [default: the newest that the server has loaded]",
)
served_label = click.option(
    "--label", metavar="LABEL", help="Its version by the server's label, such as an alias."
)
timeout = click.option(
    "--timeout",
    type=float,
    metavar="SECONDS",
    default=30.0,
    show_default=True,
    help="How long each answer of the server may take.",
)
images_at_once = click.option(
    "--batch-size",
    type=int,
    metavar="N",
    default=32,
    show_default=True,
    help="How many images are sent at once; results do not depend on it.",
)
class_names = click.option(
    "--classes",
    metavar="FILE|REF",
    help="Names of the classes: a JSON list, a file with one name a line, or a registered model "
    "that has them.  [default: class numbers]",
)
configuration_file = click.option(
    "--out",
    type=_PATH,
    default=Path("models.config"),
    show_default=True,
    metavar="FILE",
    help="Where the configuration goes; only a file of this command is replaced.",
)

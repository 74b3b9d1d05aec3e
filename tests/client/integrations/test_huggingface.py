import pytest

import lineal
from lineal.core.errors import InvalidArgument, MissingDependency
from tests.client.integrations.reading import model_versions, rows

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(transformers|accelerate|torch)"),
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]


@pytest.fixture
def hf(integration):
    return integration("huggingface", "transformers")


@pytest.fixture
def trainer(hf, framework):
    """A trainer of a tiny BERT on eight sentences of made-up words: `trainer(callback, max_steps=4)`."""
    transformers, torch = framework("transformers"), framework("torch")

    def make(callback, **arguments):
        transformers.set_seed(0)
        config = transformers.BertConfig(
            vocab_size=16, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
        )
        words = torch.randint(0, 16, (8, 5))
        data = [{"input_ids": row, "labels": int(row[0] > 7)} for row in words]
        given = {"max_steps": 4, "logging_steps": 2, "eval_strategy": "steps", "eval_steps": 2, "save_strategy": "no"}
        return transformers.Trainer(
            model=transformers.BertForSequenceClassification(config),
            args=transformers.TrainingArguments(
                output_dir="out",
                per_device_train_batch_size=4,
                learning_rate=0.01,
                use_cpu=True,
                report_to="none",
                disable_tqdm=True,
                **(given | arguments),
            ),
            train_dataset=data,
            eval_dataset=data,
            callbacks=[callback],
        )

    return make


def test_a_training_is_recorded_in_a_run_of_its_own(hf, trainer):
    made = trainer(hf.LinealCallback(project="reviews"), run_name="tiny")
    made.train()
    run = lineal.run
    made.evaluate()
    lineal.finish()
    assert (run.project, run.name, run.job_type) == ("reviews", "tiny", "train")
    back = lineal.Api().run(run.path)
    assert back.state == "finished"
    assert [step for step, _ in rows(run.path, "train/global_step", "train/loss")] == [2, 4]
    assert [step for step, _ in rows(run.path, "train/global_step", "eval/loss")] == [2, 4, 4]
    assert back.summary["eval/loss"] > 0
    assert back.summary["train_runtime"] > 0
    assert back.summary["train/loss"] == rows(run.path, "train/loss")[-1][0] != back.summary["train_loss"]
    config = back.config
    assert (config["learning_rate"], config["max_steps"]) == (0.01, 4)
    assert config["model_config"]["hidden_size"] == 8
    assert config["parameters"] == sum(tensor.numel() for tensor in made.model.parameters())
    assert "hub_token" not in config


def test_the_current_run_is_used_and_not_finished_and_the_model_at_the_end_is_an_artifact(hf, trainer, framework):
    with lineal.init(project="reviews", config={"seed_of_data": 7}) as run:
        made = trainer(hf.LinealCallback(log_model="end", model_name="reviews-model"), eval_strategy="no")
        made.train()
        made.predict(made.eval_dataset)
        assert lineal.run is run
    back = lineal.Api().run(run.path)
    assert (back.config["seed_of_data"], back.config["learning_rate"]) == (7, 0.01)
    assert back.summary["test/loss"] > 0
    (artifact,) = model_versions(run.path)
    assert artifact.name == "reviews-model:v0"
    assert artifact.metadata["global_step"] == 4
    assert {"model.safetensors", "config.json"} <= {entry.path for entry in artifact.files()}
    again = framework("transformers").BertForSequenceClassification.from_pretrained(artifact.download())
    assert again.config.hidden_size == 8


def test_each_checkpoint_is_a_version_and_best_follows_the_best(hf, trainer):
    with lineal.init() as run:
        callback = hf.LinealCallback(log_model="checkpoint")
        trainer(callback, save_strategy="steps", save_steps=2, load_best_model_at_end=True).train()
    versions = model_versions(run.path)
    assert [artifact.metadata["global_step"] for artifact in versions] == [2, 4]
    assert "trainer_state.json" in {entry.path for entry in versions[0].files()}
    name = f"model-{run.id}"
    assert lineal.Api().artifact(f"{name}:step-2").version == "v0"
    losses = [artifact.metadata["eval/loss"] for artifact in versions]
    assert lineal.Api().artifact(f"{name}:best").version_number == losses.index(min(losses))


def test_a_module_that_is_no_transformers_model_is_saved_as_safetensors(hf, framework, tmp_path):
    torch = framework("torch")
    hf._save(torch.nn.Linear(2, 1), None, str(tmp_path))
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["model.safetensors"]


def test_only_the_worlds_process_zero_records(hf, framework):
    transformers = framework("transformers")
    callback = hf.LinealCallback(log_model="end")
    args = transformers.TrainingArguments(output_dir="out", use_cpu=True, report_to="none")
    state, control = transformers.TrainerState(is_world_process_zero=False), transformers.TrainerControl()
    callback.on_train_begin(args, state, control)
    callback.on_log(args, state, control, logs={"loss": 1.0})
    callback.on_predict(args, state, control, metrics={"test_loss": 1.0})
    callback.on_save(args, state, control)
    callback.on_train_end(args, state, control)
    assert lineal.run is None


def test_a_choice_that_is_none_is_refused(hf):
    with pytest.raises(InvalidArgument, match="'end', 'checkpoint' or None"):
        hf.LinealCallback(log_model="always")


def test_without_transformers_the_error_says_what_to_install(without):
    without("transformers", of="huggingface")
    with pytest.raises(MissingDependency, match="pip install transformers"):
        import lineal.client.integrations.huggingface  # noqa: F401

"""An ordinary training script written for W&B; only the import says Lineal. Trains on scikit-learn's digits."""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import train_test_split

import lineal as wandb


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--alpha", type=float, default=1e-3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    wandb.init(project="digits-tracking", config=args, job_type="train", tags=["sgd"])
    config = wandb.config

    digits = load_digits()
    np.savez("digits.npz", images=digits.images, target=digits.target)
    dataset = wandb.Artifact("digits-raw", type="dataset")
    dataset.add_file("digits.npz")
    wandb.log_artifact(dataset)
    folder = wandb.use_artifact("digits-raw:latest").download()
    data = np.load(Path(folder, "digits.npz"))
    x = data["images"].reshape(len(data["images"]), -1) / 16
    x_train, x_val, y_train, y_val = train_test_split(x, data["target"], test_size=0.3, random_state=config.seed)

    wandb.define_metric("val/*", step_metric="epoch")
    wandb.define_metric("val/f1", summary="max")
    model = SGDClassifier(loss="log_loss", alpha=config.alpha, random_state=config.seed)
    for epoch in range(config.epochs):
        order = np.random.default_rng(epoch).permutation(len(x_train))
        for batch in np.array_split(order, 10):
            model.partial_fit(x_train[batch], y_train[batch], classes=np.arange(10))
            wandb.log({"train/loss": log_loss(y_train[batch], model.predict_proba(x_train[batch]), labels=range(10))})
        guessed = model.predict(x_val)
        wandb.log(
            {
                "epoch": epoch,
                "val/f1": f1_score(y_val, guessed, average="macro"),
                "val/wrong": (guessed != y_val).sum(),
            }
        )
        print(f"epoch {epoch}: f1 {f1_score(y_val, guessed, average='macro'):.3f}")

    wrong = np.flatnonzero(guessed != y_val)[:8]
    images = [wandb.Image(x_val[i].reshape(8, 8), caption=f"{y_val[i]} taken for {guessed[i]}") for i in wrong]
    table = wandb.Table(columns=["image", "label", "guess"])
    for i in wrong:
        table.add_data(wandb.Image(x_val[i].reshape(8, 8)), int(y_val[i]), int(guessed[i]))
    names = [str(name) for name in range(10)]
    wandb.log(
        {
            "mistakes": images,
            "mistakes_table": table,
            "confusion": wandb.plot.confusion_matrix(y_true=y_val, preds=guessed, class_names=names),
            "weights": wandb.Histogram(model.coef_),
        }
    )

    np.savez("model.npz", coef=model.coef_, intercept=model.intercept_)
    artifact = wandb.Artifact("digits-sgd", type="model", metadata=dict(wandb.summary))
    artifact.add_file("model.npz")
    wandb.log_artifact(artifact, aliases=["candidate"])
    wandb.finish()


if __name__ == "__main__":
    main()

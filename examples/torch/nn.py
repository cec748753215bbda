# A small convolutional model that learns to read handwritten digits (8x8 pixels).
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

# ------------------------------------------------------------------
# Hyperparameters
epochs = 20
batch_size = 64
learning_rate = 0.01
filters = 32
seed = 1
# ------------------------------------------------------------------

torch.manual_seed(seed)

# Data
digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
labels = torch.tensor(digits.target)
x_train, x_test, y_train, y_test = train_test_split(images, labels, test_size=0.2, random_state=seed)
batches = DataLoader(TensorDataset(x_train, y_train), batch_size=batch_size, shuffle=True)

# Model
model = nn.Sequential(
    nn.Conv2d(1, filters, 3),
    nn.ReLU(),
    nn.Conv2d(filters, 2 * filters, 3),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(2 * filters * 4 * 4, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)

# Training
for epoch in range(epochs):
    total = 0.0
    for x, y in batches:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    print(f"Epoch {epoch + 1}/{epochs}: loss {total / len(x_train):.4f}")

# Test
model.eval()
with torch.no_grad():
    accuracy = (model(x_test).argmax(dim=1) == y_test).float().mean().item()
print(f"Test accuracy: {accuracy:.4f}")

torch.save(model.state_dict(), "model.pt")

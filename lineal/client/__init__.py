"""The SDK's rooms: what a training or serving script imports through `lineal`."""

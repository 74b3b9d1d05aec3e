"""What is known to have gone wrong elsewhere, tried here; `test_items.py` says where each item is tested."""

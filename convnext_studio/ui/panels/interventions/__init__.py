"""Changes inside the network and on pictures: their chips, their menus, and what matters most."""

"""From events to intentions and back: rules, alerts, incidents, actions, doors and notices."""

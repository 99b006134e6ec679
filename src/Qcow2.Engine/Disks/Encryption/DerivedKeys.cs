namespace Qcow2.Engine.Disks.Encryption;

/// <summary>
/// What key derivation, which takes seconds by design, has made of a passphrase: an image that is opened again with the same
/// <see cref="Passphrase"/> (to measure it before it is converted, to use it after it was made) is not derived for again. It is wiped with the
/// passphrase. Safe to use from many threads.
/// </summary>
internal sealed class DerivedKeys : IDisposable
{
    // A few slots of each image of a chain. A pipeline over a thousand images needs no more of them at a time.
    private const int MaxEntries = 64;

    private readonly Dictionary<string, SecretBuffer> _keys = new(StringComparer.Ordinal);
    private readonly Queue<string> _order = new();
    private bool _isDisposed;

    /// <summary>Looks a key up.</summary>
    /// <param name="name">Everything that it depends on, but for the passphrase.</param>
    /// <param name="key">Receives the key.</param>
    internal bool TryGet(string name, Span<byte> key)
    {
        lock (_keys)
        {
            if (!_keys.TryGetValue(name, out SecretBuffer? known) || known.Span.Length != key.Length)
            {
                return false;
            }

            known.Span.CopyTo(key);
            return true;
        }
    }

    /// <summary>Keeps a key.</summary>
    /// <param name="name">Everything that it depends on, but for the passphrase.</param>
    /// <param name="key">The key, copied.</param>
    internal void Add(string name, ReadOnlySpan<byte> key)
    {
        lock (_keys)
        {
            if (_isDisposed || _keys.ContainsKey(name))
            {
                return;
            }

            if (_order.Count == MaxEntries)
            {
                string oldest = _order.Dequeue();
                _keys[oldest].Dispose();
                _keys.Remove(oldest);
            }

            _keys.Add(name, SecretBuffer.CopyOf(key));
            _order.Enqueue(name);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_keys)
        {
            _isDisposed = true;
            foreach (SecretBuffer key in _keys.Values)
            {
                key.Dispose();
            }

            _keys.Clear();
            _order.Clear();
        }
    }
}

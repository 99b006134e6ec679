using System.Diagnostics.Tracing;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>
/// Says of each key derivation that it was begun, to whoever listens to events of .NET (<c>dotnet-trace</c>, PerfView, tests): it is what opening an encrypted
/// image takes its seconds for. A salt is no secret, and says which key slot of which file it was.
/// </summary>
[EventSource(Name = "Qcow2-Engine-KeyDerivation")]
internal sealed class KeyDerivationEvents : EventSource
{
    private KeyDerivationEvents()
    {
    }

    /// <summary>The one source, which costs nothing while nobody listens.</summary>
    internal static KeyDerivationEvents Log { get; } = new();

    /// <summary>A derivation begins.</summary>
    /// <param name="salt">The salt, in Base64.</param>
    /// <param name="iterations">How often the hash is applied, for each block of the key.</param>
    [Event(1)]
    public void Begun(string salt, int iterations) => WriteEvent(1, salt, iterations);

    /// <summary>A derivation begins.</summary>
    [NonEvent]
    internal void Begun(ReadOnlySpan<byte> salt, int iterations)
    {
        if (IsEnabled())
        {
            Begun(Convert.ToBase64String(salt.ToArray()), iterations);
        }
    }
}

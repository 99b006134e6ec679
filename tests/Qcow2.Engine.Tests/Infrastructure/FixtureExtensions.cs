using Qcow2.Tests;

namespace Qcow2.Engine.Tests;

internal static class FixtureExtensions
{
    /// <summary>Opens a fixture with what it needs to be read.</summary>
    internal static Qcow2Image Open(this Fixture fixture, string? passphrase = null)
    {
        passphrase ??= fixture.Passphrase;
        using Passphrase? key = passphrase is null ? null : Passphrase.FromString(passphrase);
        return Qcow2Image.Open(fixture.Path, new Qcow2OpenOptions { Passphrase = key });
    }
}

using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>The parts of field <c>cipher-mode</c>: <c>mode[-generator[:hash]]</c>. Text only; whether they are known is not asked here.</summary>
/// <param name="Mode">The mode of the cipher, such as <c>xts</c>.</param>
/// <param name="IvGenerator">The generator of initialisation vectors, such as <c>plain64</c>; null when none is named.</param>
/// <param name="IvHash">
/// The hash of the <c>essiv</c> generator. Null for other generators even when one is named: dm-crypt ignores it there.
/// </param>
internal readonly record struct LuksModeSpec(string Mode, string? IvGenerator, string? IvHash)
{
    internal const string Xts = "xts";
    internal const string Cbc = "cbc";
    internal const string Ctr = "ctr";
    internal const string Ecb = "ecb";
    internal const string Plain = "plain";
    internal const string Plain64 = "plain64";
    internal const string Essiv = "essiv";

    internal static LuksModeSpec Parse(string spec)
    {
        int dash = spec.IndexOf('-');
        if (dash < 0)
        {
            return new LuksModeSpec(spec, null, null);
        }

        string generator = spec.Substring(dash + 1);
        string? hash = null;
        int colon = generator.IndexOf(':');
        if (colon >= 0)
        {
            hash = generator.Substring(colon + 1);
            generator = generator.Substring(0, colon);
        }

        return new LuksModeSpec(spec.Substring(0, dash), generator, generator == Essiv ? hash : null);
    }
}

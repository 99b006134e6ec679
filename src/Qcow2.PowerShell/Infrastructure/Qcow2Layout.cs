using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Format;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>What can be said of the layout of a qcow2 image that is only measured. Its names are those of parameters.</summary>
internal interface IQcow2Layout
{
    int ClusterSizeBytes { get; }

    int Version { get; }

    int RefcountBits { get; }

    SwitchParameter ExtendedL2 { get; }

    EncryptionMethod Encryption { get; }

    string CipherAlgorithm { get; }

    string CipherMode { get; }
}

/// <summary>What can be said of the layout of a qcow2 image that is made.</summary>
internal interface IQcow2FileLayout : IQcow2Layout
{
    Preallocation Preallocation { get; }

    CompressionType CompressionType { get; }

    SwitchParameter LazyRefcounts { get; }

    string? BackingFile { get; }

    string? BackingFormat { get; }

    string IvGeneratorAlgorithm { get; }

    string? IvGeneratorHash { get; }

    string HashAlgorithm { get; }

    int IterationTimeMilliseconds { get; }
}

/// <summary>
/// The one home of what the layout parameters mean. PowerShell binds to properties of the cmdlet's own class, so each cmdlet declares them, with words
/// of its own; a test sees to it that the declarations of one name are alike.
/// </summary>
internal static class Qcow2Layout
{
    /// <summary>Milliseconds that it takes to try a passphrase.</summary>
    internal const int DefaultIterationTime = 2000;

    /// <summary>The names of the parameters that say nothing of a raw disk, of a cmdlet that measures.</summary>
    internal static IReadOnlyList<string> MeasuredNames { get; } = [.. typeof(IQcow2Layout).GetProperties().Select(property => property.Name)];

    /// <summary>The names of the parameters that say how a file is made; <see cref="IQcow2FileLayout.BackingFormat"/> is said of sources, too.</summary>
    internal static IReadOnlyList<string> FileNames { get; } =
    [
        .. MeasuredNames, .. typeof(IQcow2FileLayout).GetProperties().Select(property => property.Name).Where(name => name != nameof(IQcow2FileLayout.BackingFormat)),
    ];

    /// <summary>The layout of an image that is measured.</summary>
    internal static Qcow2CreateOptions Of(IQcow2Layout said) => new()
    {
        Version = said.Version,
        ClusterSize = said.ClusterSizeBytes,
        RefcountBits = said.RefcountBits,
        ExtendedL2 = said.ExtendedL2,
        Encryption = said.Encryption,
        Luks = new LuksOptions { CipherAlgorithm = said.CipherAlgorithm.ToLowerInvariant(), CipherMode = said.CipherMode.ToLowerInvariant() },
    };

    /// <summary>The layout of an image that is made, but for its data file.</summary>
    internal static Qcow2CreateOptions Of(IQcow2FileLayout said, Passphrase? passphrase) => Of((IQcow2Layout)said) with
    {
        Luks = Of((IQcow2Layout)said).Luks with
        {
            IvGeneratorAlgorithm = said.IvGeneratorAlgorithm.ToLowerInvariant(),
            IvGeneratorHash = said.IvGeneratorHash?.ToLowerInvariant(),
            HashAlgorithm = said.HashAlgorithm.ToLowerInvariant(),
        },
        KeyDerivationTime = TimeSpan.FromMilliseconds(said.IterationTimeMilliseconds),
        CompressionType = said.CompressionType,
        LazyRefcounts = said.LazyRefcounts,
        BackingFile = said.BackingFile,
        BackingFormat = said.BackingFile is null ? null : said.BackingFormat?.ToLowerInvariant(),
        Preallocation = said.Preallocation,
        Passphrase = passphrase,
    };

    /// <summary>Refuses an encrypted image without a passphrase, and a passphrase for one that is not encrypted.</summary>
    /// <param name="encryption">How the image is to be encrypted.</param>
    /// <param name="hasPassphrase">Whether there is one.</param>
    /// <param name="parameter">The parameter of the passphrase, with its dash.</param>
    internal static void RequireWholeEncryption(EncryptionMethod encryption, bool hasPassphrase, string parameter)
    {
        // The legacy method is refused by the engine, with a better reason.
        if ((encryption == EncryptionMethod.Luks) != hasPassphrase && encryption != EncryptionMethod.Aes)
        {
            throw ImageCmdletException.Contradiction($"-Encryption Luks and {parameter} go together: the one says how the new image is encrypted, the other with what.");
        }
    }
}

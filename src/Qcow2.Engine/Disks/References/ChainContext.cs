using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.References;

/// <summary>The files of a backing chain from its top down to the one that is being opened.</summary>
internal sealed class ChainContext
{
    private readonly ChainContext? _above;
    private readonly FileIdentity _file;
    private readonly int _length;

    private ChainContext(Qcow2OpenOptions options, ChainContext? above, FileIdentity file, CancellationToken cancellationToken)
    {
        Options = options;
        CancellationToken = cancellationToken;
        _above = above;
        _file = file;
        _length = above is null ? 1 : above._length + 1;
    }

    internal Qcow2OpenOptions Options { get; }

    /// <summary>Whether this is the file that the caller asked for.</summary>
    internal bool IsTop => _above is null;

    /// <summary>Whether the top is opened over <see cref="Substitute"/> in place of what its header names.</summary>
    internal bool HasSubstitute { get; private init; }

    /// <summary>What the top is opened over; null for nothing.</summary>
    internal VirtualDisk? Substitute { get; private init; }

    /// <summary>Ends the opening of the chain.</summary>
    internal CancellationToken CancellationToken { get; }

    /// <summary>Begins a chain at the file that the caller asked for.</summary>
    internal static ChainContext Begin(BlockStorage top, Qcow2OpenOptions options, CancellationToken cancellationToken = default)
        => new(Limit(top, options), null, top.Identity, cancellationToken);

    /// <summary>Begins a chain whose top takes a disk of the caller's for its backing file, whatever its header names.</summary>
    internal static ChainContext BeginOver(BlockStorage top, VirtualDisk? backing, Qcow2OpenOptions options, CancellationToken cancellationToken)
        => new(Limit(top, options), null, top.Identity, cancellationToken) { HasSubstitute = true, Substitute = backing };

    /// <summary>What came from elsewhere may not name files of this machine, whatever the caller allows images of this machine.</summary>
    private static Qcow2OpenOptions Limit(BlockStorage top, Qcow2OpenOptions options)
        => top.HasLocalPath ? options : options with { References = ReferencePolicy.Forbid };

    /// <summary>Refuses a file that is in the chain already. Asked before it is opened, where its locks would be in its own way.</summary>
    /// <remarks>A loop that the host does not let us see ends at the longest chain that is allowed.</remarks>
    /// <exception cref="Qcow2Exception">It is.</exception>
    internal void RequireNew(FileIdentity? file, string path, string imagePath)
    {
        for (ChainContext? link = this; link is not null; link = link._above)
        {
            if (file?.IsProvenSameAs(link._file) == true)
            {
                throw new Qcow2Exception(
                    Qcow2ErrorCode.BackingChainLoop,
                    $"The backing chain is a loop: the backing file {path} is already part of it.").At(imagePath);
            }
        }
    }

    /// <summary>The passphrase of the file that is being opened; null for none.</summary>
    internal Passphrase? PassphraseOf(BlockStorage file) => IsTop ? Options.Passphrase : Options.PassphraseBelow(file.Path);

    /// <summary>Goes one file down.</summary>
    /// <exception cref="Qcow2Exception">The file is in the chain already, or the chain gets too long.</exception>
    internal ChainContext Enter(BlockStorage file, string imagePath)
    {
        RequireNew(file.Identity, file.Path, imagePath);
        return _length < Options.MaxChainLength
            ? new ChainContext(Options, this, file.Identity, CancellationToken)
            : throw new Qcow2Exception(
                Qcow2ErrorCode.BackingChainTooDeep,
                $"The backing chain is longer than {Options.MaxChainLength} images, the most that are allowed here.").At(imagePath);
    }
}

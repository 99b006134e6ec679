using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed;

/// <summary>What was brought out of a packed file, in a file that nobody else can open and that is gone when this is closed.</summary>
internal sealed class TemporaryCopy : BorrowedStorage
{
    private readonly TemporaryFile _file;
    private readonly BlockStorage _packed;

    private TemporaryCopy(TemporaryFile file, BlockStorage packed)
        : base(file.Storage)
    {
        _file = file;
        _packed = packed;
        Path = packed.Path;
        Identity = packed.Identity;
    }

    /// <inheritdoc/>
    public override string Path { get; }

    /// <inheritdoc/>
    /// <remarks>It stands for the packed file, which must not be written over while it is read.</remarks>
    public override FileIdentity Identity { get; }

    /// <inheritdoc/>
    public override bool HasLocalPath => false;

    /// <summary>Makes one.</summary>
    /// <param name="packed">The packed file, which is closed with the result; not where this fails.</param>
    /// <param name="folder">Where the file goes.</param>
    /// <param name="fill">Writes into it. Where that fails, nothing is left of it.</param>
    internal static TemporaryCopy Make(BlockStorage packed, string folder, Action<BlockStorage> fill)
    {
        var file = TemporaryFile.Create(folder);
        try
        {
            fill(file.Storage);
            return new TemporaryCopy(file, packed);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
            _packed.Dispose();
        }

        base.Dispose(disposing);
    }
}

using Qcow2.Engine.Chains;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Layering;

/// <summary>
/// A chain that is open for a merge: the destination with what lies below it, for writing; and the images above it, which
/// are opened without it.
/// </summary>
internal sealed class MergeChain : IDisposable
{
    private readonly List<IDisposable> _open = [];
    private readonly MergeRoute _route;

    private MergeChain(MergeRoute route) => _route = route;

    internal Qcow2Image Top { get; private set; } = null!;

    internal VirtualDisk Destination { get; private set; } = null!;

    /// <summary>Opens the files, and takes their locks.</summary>
    /// <param name="route">Which they are.</param>
    /// <param name="options">How.</param>
    /// <param name="empties">Whether the top is written, too.</param>
    /// <param name="held">The files that are deleted afterwards; the others are locked here.</param>
    /// <param name="cancellationToken">Ends the trying of passphrases.</param>
    internal static MergeChain Open(MergeRoute route, ImageMergeOptions options, bool empties, HeldFiles held, CancellationToken cancellationToken)
    {
        var chain = new MergeChain(route);
        try
        {
            chain.OpenAll(options, empties, held, cancellationToken);
            return chain;
        }
        catch
        {
            chain.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        // The images above first; what fails to close does not keep the others open.
        List<Exception> failures = [];
        for (int i = _open.Count - 1; i >= 0; i--)
        {
            try
            {
                _open[i].Dispose();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                failures.Add(e);
            }
        }

        _open.Clear();
        if (failures.Count > 0)
        {
            throw failures[0];
        }
    }

    private void OpenAll(ImageMergeOptions options, bool empties, HeldFiles held, CancellationToken cancellationToken)
    {
        Qcow2OpenOptions read = options.Open with { Writable = false, DataFile = null };
        Qcow2OpenOptions write = options.Open with { Writable = true, DataFile = null };
        Qcow2ImageInfo destination = _route.Destination;
        Destination = Keep(DiskFormats.Get(destination.Format).Open(destination.Path, write.Below(destination.Path), cancellationToken));

        VirtualDisk below = new StandInDisk(Destination.Path, Destination.Length);
        for (int i = _route.Depth - 1; i >= 0; i--)
        {
            string path = _route.Images[i].Path;
            LocalFile file = Keep(held.TryOpenRead(path) ?? (i == 0 && empties ? ImageFile.OpenForWriting(path) : ImageFile.Open(path, read)));
            Qcow2OpenOptions how = i > 0 ? read.Below(path) : options.Open with { Writable = empties };
            Top = Keep(Qcow2Image.OpenOver(file, below, how, cancellationToken));
            below = Top;
        }
    }

    private T Keep<T>(T opened)
        where T : IDisposable
    {
        _open.Add(opened);
        return opened;
    }
}

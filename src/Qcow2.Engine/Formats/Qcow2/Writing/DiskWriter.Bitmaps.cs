using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Bitmaps;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>Bitmaps that record what is written.</content>
internal sealed partial class DiskWriter
{
    private BitmapStore? _bitmaps;

    /// <summary>Whether anything was written since the image was opened.</summary>
    internal bool HasBegun => Volatile.Read(ref _bitmaps) is not null;

    /// <summary>The bitmaps as a clean close leaves them.</summary>
    internal IReadOnlyList<BitmapDirectoryEntry> Bitmaps
    {
        get
        {
            lock (_gate)
            {
                return _bitmaps?.Entries ?? BitmapDirectory.Load(_resources.Image, Header);
            }
        }
    }

    /// <summary>Changes bitmaps while nobody writes to new clusters.</summary>
    internal void EditBitmaps(Action<BitmapStore> edit)
    {
        try
        {
            Begin();
            lock (_gate)
            {
                WaitForWrites();

                _committer.RequireSound();
                edit(_bitmaps!);
                _committer.CommitAll();
            }
        }
        catch (MetadataOverlapException e)
        {
            StopWriting(e);
            throw;
        }
    }

    /// <summary>Reads the bitmaps, marks those that record as in use, and lets them.</summary>
    private void BeginBitmaps()
    {
        _bitmaps ??= BitmapStore.Load(_resources.Image, _committer, _refcounts, _guard);
        _bitmaps.Begin();
    }

    /// <summary>Notes a change before it is made, so that no bitmap ever misses one.</summary>
    private void Record(long offset, long length) => _bitmaps!.Record(offset, length);

    /// <summary>Saves the bitmaps. If that fails they stay marked as in use, and the image is as sound as before.</summary>
    private void SaveBitmaps()
    {
        try
        {
            _bitmaps?.SaveAll();
        }
        catch (MetadataOverlapException e)
        {
            StopWriting(e);
            throw;
        }
    }
}

using System.Buffers.Binary;
using Qcow2.Engine.Format;
using Qcow2.Engine.Metadata;

namespace Qcow2.Engine;

/// <content>What an image must know before its disk is written for the first time.</content>
internal sealed partial class DiskWriter
{
    private const int BitmapFlagsOffset = 12;

    private volatile bool _hasBegun;

    /// <summary>
    /// Clears autoclear features that nobody here keeps true, and marks enabled bitmaps as in use: they do not know of what
    /// is written from now on. Both are on the disk before anything else changes. A second call does nothing.
    /// </summary>
    private void Begin()
    {
        if (_hasBegun)
        {
            return;
        }

        lock (_gate)
        {
            if (_hasBegun)
            {
                return;
            }

            _committer.RequireSound();
            MarkBitmapsInUse();
            _committer.KeepAutoclearFeatures(AutoclearFeatures.Bitmaps | AutoclearFeatures.RawExternalData);
            _resources.Image.Flush();
            _hasBegun = true;
        }
    }

    private void MarkBitmapsInUse()
    {
        Qcow2Header header = _committer.Header;
        long position = (long)(header.Extension<BitmapsExtension>()?.DirectoryOffset ?? 0);
        foreach (BitmapDirectoryEntry bitmap in BitmapDirectory.Load(_resources.Image, header))
        {
            if ((bitmap.Flags & (BitmapFlags.Auto | BitmapFlags.InUse)) == BitmapFlags.Auto)
            {
                byte[] flags = new byte[sizeof(uint)];
                BinaryPrimitives.WriteUInt32BigEndian(flags, (uint)(bitmap.Flags | BitmapFlags.InUse));
                _resources.Image.Write(position + BitmapFlagsOffset, flags);
            }

            position += bitmap.TotalLength;
        }
    }
}

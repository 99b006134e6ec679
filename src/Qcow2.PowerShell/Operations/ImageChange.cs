using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>A change of an image's snapshots or bitmaps, on a thread of its own so that it can be stopped.</summary>
internal static class ImageChange
{
    /// <summary>Opens an image, changes it and closes it.</summary>
    /// <param name="path">Full path of the image.</param>
    /// <param name="change">The change; what it returns is returned when all is on the disk.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <param name="invalid">The error id of a name, or of something else, that cannot be.</param>
    internal static T Run<T>(string path, Func<Qcow2Image, CancellationToken, T> change, CancellationToken stop, string invalid = "SnapshotNameInvalid")
    {
        T? result = default;
        LongOperation.Run(
            token =>
            {
                // Snapshots and bitmaps lie in this one file: neither its backing file nor its passphrase is needed.
                using Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true, WithoutBacking = true }, token);
                try
                {
                    result = change(image, token);
                    image.Flush();
                }
                catch (ArgumentException e)
                {
                    throw new ImageCmdletException(invalid, ErrorCategory.InvalidArgument, ErrorMessage.Text(e));
                }
            },
            () => { },
            stop);
        return result!;
    }
}

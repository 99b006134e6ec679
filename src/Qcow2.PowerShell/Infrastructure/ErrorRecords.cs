using System.Management.Automation;
using System.Security;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>Makes error records. Their ids are part of the module's contract: scripts match on them.</summary>
internal static class ErrorRecords
{
    private const int UnixNoSpace = 28; // ENOSPC
    private const int UnixQuota = 122; // EDQUOT of Linux
    private const int MacQuota = 69; // EDQUOT of macOS
    private const int UnixFileTooLarge = 27; // EFBIG
    private const int WindowsFileTooLarge = unchecked((int)0x8007_00df);
    private const int WindowsDiskFull = unchecked((int)0x8007_0070);
    private const int WindowsHandleDiskFull = unchecked((int)0x8007_0027);

    /// <summary>Whether an exception tells of a file, as opposed to a mistake in this module.</summary>
    internal static bool IsOfFile(Exception exception) => exception
        is Qcow2Exception or IOException or UnauthorizedAccessException or SecurityException
        or ArgumentException or NotSupportedException or SessionStateException or ImageCmdletException;

    /// <summary>Describes what went wrong with a file: by a message that names the file, and what the cmdlet can do about it.</summary>
    /// <param name="exception">What went wrong.</param>
    /// <param name="path">The file.</param>
    /// <param name="advice">What is added to the message; null for nothing.</param>
    internal static ErrorRecord OfFile(Exception exception, string path, string? advice) => From(ErrorMessage.Complete(exception, path, advice), path);

    /// <summary>Describes what went wrong, with a file or with what a parameter was given.</summary>
    internal static ErrorRecord From(Exception exception, string path)
    {
        (string id, ErrorCategory category) = exception switch
        {
            ImageCmdletException e => (e.ErrorId, e.Category),
            Qcow2Exception e => (e.Code.ToString(), CategoryOf(e.Code)),
            System.Management.Automation.DriveNotFoundException or System.IO.DriveNotFoundException => ("DriveNotFound", ErrorCategory.ObjectNotFound),
            ProviderNotFoundException => ("ProviderNotFound", ErrorCategory.ObjectNotFound),
            FileNotFoundException or DirectoryNotFoundException or ItemNotFoundException => ("PathNotFound", ErrorCategory.ObjectNotFound),
            UnauthorizedAccessException or SecurityException => ("AccessDenied", ErrorCategory.PermissionDenied),
            PathTooLongException => ("PathInvalid", ErrorCategory.InvalidArgument),
            IOException e when IsDiskFull(e) => ("DiskFull", ErrorCategory.ResourceUnavailable),
            IOException { HResult: UnixFileTooLarge or WindowsFileTooLarge } => ("FileTooLarge", ErrorCategory.LimitsExceeded),
            IOException => ("IOError", ErrorCategory.DeviceError),
            _ => ("PathInvalid", ErrorCategory.InvalidArgument),
        };

        // Of a name as it was typed, PowerShell knows the full path that it looked for.
        string target = exception is ItemNotFoundException { ItemName: { Length: > 0 } item } ? item : path;
        var record = new ErrorRecord(exception, id, category, target);
        if (!DisplayText.IsPrintable(exception.Message))
        {
            record.ErrorDetails = new ErrorDetails(DisplayText.Printable(exception.Message)); // What is shown; the exception and the target keep the names as they are.
        }

        return record;
    }

    /// <summary>The category of each of the engine's codes.</summary>
    internal static ErrorCategory CategoryOf(Qcow2ErrorCode code) => code switch
    {
        Qcow2ErrorCode.NotQcow2 => ErrorCategory.InvalidData,
        Qcow2ErrorCode.ImageCorrupt => ErrorCategory.InvalidData,
        Qcow2ErrorCode.UnsupportedFeature => ErrorCategory.NotImplemented,
        Qcow2ErrorCode.PackedFileCorrupt => ErrorCategory.InvalidData,
        Qcow2ErrorCode.UnpackedTooLarge => ErrorCategory.LimitsExceeded,
        Qcow2ErrorCode.DiskNotSpecified => ErrorCategory.InvalidArgument,
        Qcow2ErrorCode.LimitExceeded => ErrorCategory.LimitsExceeded,
        Qcow2ErrorCode.FileOffline => ErrorCategory.ResourceUnavailable,
        Qcow2ErrorCode.ImageLocked => ErrorCategory.ResourceBusy,
        Qcow2ErrorCode.BackingFileUnavailable => ErrorCategory.ResourceUnavailable,
        Qcow2ErrorCode.BackingFormatMissing => ErrorCategory.InvalidArgument,
        Qcow2ErrorCode.ParentNotNamed => ErrorCategory.InvalidArgument,
        Qcow2ErrorCode.FormatMismatch => ErrorCategory.InvalidData,
        Qcow2ErrorCode.BackingFileMismatch => ErrorCategory.InvalidData,
        Qcow2ErrorCode.BackingChainLoop => ErrorCategory.InvalidData,
        Qcow2ErrorCode.BackingChainTooDeep => ErrorCategory.LimitsExceeded,
        Qcow2ErrorCode.ReferenceForbidden => ErrorCategory.PermissionDenied,
        Qcow2ErrorCode.DataFileUnavailable => ErrorCategory.ResourceUnavailable,
        Qcow2ErrorCode.PassphraseRequired => ErrorCategory.AuthenticationError,
        Qcow2ErrorCode.PassphraseIncorrect => ErrorCategory.AuthenticationError,
        Qcow2ErrorCode.KeySlotInUse => ErrorCategory.ResourceExists,
        Qcow2ErrorCode.KeySlotNotInUse => ErrorCategory.ObjectNotFound,
        Qcow2ErrorCode.KeySlotsFull => ErrorCategory.LimitsExceeded,
        Qcow2ErrorCode.LastKeySlot => ErrorCategory.InvalidOperation,
        Qcow2ErrorCode.SnapshotNotFound => ErrorCategory.ObjectNotFound,
        Qcow2ErrorCode.SnapshotDamaged => ErrorCategory.InvalidData,
        Qcow2ErrorCode.SnapshotAmbiguous => ErrorCategory.InvalidArgument,
        Qcow2ErrorCode.SnapshotChanged => ErrorCategory.ObjectNotFound,
        Qcow2ErrorCode.SnapshotExists => ErrorCategory.ResourceExists,
        Qcow2ErrorCode.BitmapNotFound => ErrorCategory.ObjectNotFound,
        Qcow2ErrorCode.BitmapExists => ErrorCategory.ResourceExists,
        Qcow2ErrorCode.BitmapInconsistent => ErrorCategory.InvalidData,
        Qcow2ErrorCode.DestinationExists => ErrorCategory.ResourceExists,
        Qcow2ErrorCode.DestinationIsSource => ErrorCategory.InvalidArgument,
        Qcow2ErrorCode.DestinationIsFolder => ErrorCategory.InvalidArgument,
        Qcow2ErrorCode.DestinationIsDevice => ErrorCategory.InvalidArgument,
        Qcow2ErrorCode.DestinationNotFile => ErrorCategory.InvalidArgument,
        Qcow2ErrorCode.DestinationProtected => ErrorCategory.PermissionDenied,
        Qcow2ErrorCode.NoBackingFile => ErrorCategory.InvalidOperation,
        Qcow2ErrorCode.NotInBackingChain => ErrorCategory.InvalidArgument,
        Qcow2ErrorCode.SnapshotWouldChange => ErrorCategory.InvalidOperation,
        Qcow2ErrorCode.HttpRequestFailed => ErrorCategory.ConnectionError,
        Qcow2ErrorCode.RangesNotSupported => ErrorCategory.NotImplemented,
        Qcow2ErrorCode.SourceChanged => ErrorCategory.ResourceUnavailable,
        Qcow2ErrorCode.HashMismatch => ErrorCategory.InvalidData,
        Qcow2ErrorCode.ManifestMismatch => ErrorCategory.InvalidData,
        _ => ErrorCategory.NotSpecified,
    };

    private static bool IsDiskFull(IOException exception)
        => exception.HResult is UnixNoSpace or UnixQuota or MacQuota or WindowsDiskFull or WindowsHandleDiskFull;
}

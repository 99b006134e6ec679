namespace Qcow2.Engine.Storage;

/// <summary>What to say where the host lets this process not use a file: .NET says only that access is denied.</summary>
internal static class AccessRefusal
{
    /// <summary>The error of an open that was denied.</summary>
    /// <param name="path">Full path.</param>
    /// <param name="access">What the file was to be opened for.</param>
    /// <param name="cause">What .NET said.</param>
    internal static UnauthorizedAccessException For(string path, FileAccess access, UnauthorizedAccessException cause)
        => new(Describe(path, access != FileAccess.Read, IsReadOnly(path), OperatingSystemInfo.IsWindows), cause);

    /// <summary>The words, by what is known.</summary>
    internal static string Describe(string path, bool isForWriting, bool isReadOnly, bool isWindows) => (isForWriting, isReadOnly, isWindows) switch
    {
        (true, true, true) => $"{path}: the file is read-only. Clear that attribute (Set-ItemProperty -Name IsReadOnly -Value $false) if it is to be written.",
        (true, true, false) => $"{path}: the file is read-only to this user. Give the right to write it (chmod u+w, as its owner) if it is to be written.",
        (true, false, _) => $"{path}: access is denied: this user may not write the file, or may not reach its folder. Who may do what says {(isWindows ? "Get-Acl" : "ls -l")}.",
        (false, _, _) => $"{path}: access is denied: this user may not read the file, or may not reach its folder. Who may do what says {(isWindows ? "Get-Acl" : "ls -l")}.",
    };

    private static bool IsReadOnly(string path)
    {
        try
        {
            return (File.GetAttributes(path) & FileAttributes.ReadOnly) != 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}

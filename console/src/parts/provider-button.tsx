/** The way in by the operator's OpenID provider, where there is one. */
import { useWords } from '../language.ts';
import { useLoaded } from '../loading.ts';

export interface Ways {
  readonly provider: { readonly name: string; readonly sign_out_url: string | null } | null;
}

export const useWays = () => useLoaded<Ways>('/api/session/ways').data;

/** @param props.to the page of the console that it leads to */
export function ProviderButton(props: { readonly ways: Ways | undefined; readonly to: string }) {
  const { signIn } = useWords();
  const provider = props.ways?.provider;
  if (!provider) return null;
  return (
    <>
      <div class="or">{signIn.or}</div>
      {/* The browser itself has to go there. */}
      <a class="button" target="_self" href={`/sign-in/provider?to=${encodeURIComponent(props.to)}`}>
        {signIn.by(provider.name)}
      </a>
    </>
  );
}
